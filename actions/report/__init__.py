"""The verb report."""
