"""Loading a set into a running server."""
