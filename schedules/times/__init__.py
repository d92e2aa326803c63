"""When a schedule runs, and whether a run may start."""
