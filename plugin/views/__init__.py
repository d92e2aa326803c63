"""Pure functions that put answers together."""
