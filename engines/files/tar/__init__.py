"""Tar headers, written and read."""
