"""Looks at everything every few minutes, tells what changed, and says that it looked."""
