"""Engine command: a program of one's own."""
