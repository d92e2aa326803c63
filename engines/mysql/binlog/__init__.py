"""Binary logs: archived, read and replayed."""
