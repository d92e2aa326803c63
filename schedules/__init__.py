"""What the user may write: the model of schedules.yaml, its loader, windows, calendars and fire times."""
