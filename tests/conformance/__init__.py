"""One suite over every connector."""
