"""Engine mysql: MariaDB and MySQL."""
