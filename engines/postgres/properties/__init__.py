"""
What a PostgreSQL database is besides its contents, and who may use it: owner, rights, settings, locale.

`pg_restore` puts none of it back unless it makes the database itself, under its old name. So a set
has it as data (``database.json``), and a load makes the same database under the name that is asked for.
The names of all roles are there too: a restore test makes them before it restores what they own.
"""
