"""Task: one of seven expressions for a face."""
