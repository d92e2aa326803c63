"""Where pieces lie: one treaty for a local folder, memory, object stores and the rest."""
