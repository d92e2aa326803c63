"""What goes on with runs at this moment: what they were told, and what they have for themselves."""
