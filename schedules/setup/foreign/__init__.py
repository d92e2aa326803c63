"""Reads what other tools are configured with: one module for each of them."""
