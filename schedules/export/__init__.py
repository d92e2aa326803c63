"""Writes schedules as YAML that means the same when it is read again."""
