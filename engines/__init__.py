"""What can be backed up: one engine for each kind of source, all of one shape."""
