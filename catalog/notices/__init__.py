"""What the monitor saw last, and the messages that are on their way to people."""
