"""Pure rules over sets: what is kept, and what restores a moment."""
