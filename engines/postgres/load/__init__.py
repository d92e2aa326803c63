"""
Loads a logical PostgreSQL set into a running server.

A database that holds something is never written to: the set is loaded into a new database beside it,
its rows are counted, and only then does the new one take the old one's name. What comes back is the same
database: its owner, the rights on it, its settings, locale and comment come from the set too.
"""
