"""Looks at everything, and tells whom it concerns."""
