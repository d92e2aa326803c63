"""Sets and repositories as they lie in a storage."""
