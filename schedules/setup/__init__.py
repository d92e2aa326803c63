"""
The first minutes: what to protect, as asked for or as another tool's configuration says it, becomes a schedules file.
"""
