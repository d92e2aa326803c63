"""The JSON Schema and the reference page of a schedules file, made from the model."""
