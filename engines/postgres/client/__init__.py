"""How a PostgreSQL server is reached."""
