"""The verbs prune and sync, and what they clean up."""
