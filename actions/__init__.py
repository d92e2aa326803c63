"""The verbs: back up, restore, and rebuild what is known from what is stored."""
