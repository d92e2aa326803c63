"""What a person may write, as models."""
