"""Commands about schedules files."""
