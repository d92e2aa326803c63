"""Commands about sets and runs."""
