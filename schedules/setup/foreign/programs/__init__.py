"""The programs that make backups, and what their arguments mean."""
