"""Files as fields, and where their contents are kept."""
