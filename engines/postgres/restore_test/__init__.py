"""A restore test: a server of its own, a database whose owner may do nothing else, and the load of the dump."""
