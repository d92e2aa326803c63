"""Paths on this machine: which are meant, where they may lie, how they are removed."""
