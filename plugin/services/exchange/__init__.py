"""Schedules as a file: out of the catalog, and into it, all or none."""
