"""From files to schedules: every problem with its place."""
