"""Messages written out: as plain text, as HTML, as JSON. Pure."""
