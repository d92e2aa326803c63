"""Engine sqlite: a consistent view of a database, by page."""
