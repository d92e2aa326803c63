"""Copies of a whole cluster, and its WAL."""
