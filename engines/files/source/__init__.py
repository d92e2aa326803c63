"""How the files engine reads a tree: its roots, the walk below them, one file of it."""
