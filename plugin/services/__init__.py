"""What routes ask and do: reads, edits, verbs."""
