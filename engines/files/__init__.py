"""Engine files: folders and files, with all that belongs to them."""
