"""The verb restore."""
