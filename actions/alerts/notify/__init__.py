"""Tells people: events become messages, messages reach their receivers."""
