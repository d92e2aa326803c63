"""Small files are restored by several processes."""
