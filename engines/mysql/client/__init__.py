"""How a MariaDB or MySQL server is reached."""
