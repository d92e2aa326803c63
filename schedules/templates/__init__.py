"""Whole schedules to begin with: a real schedules file each, and what reads them."""
