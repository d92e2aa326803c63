"""Engine postgres: PostgreSQL's own programs, with our storage behind."""
