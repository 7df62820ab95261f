"""What the notebooks share, and the tools of the course's editions."""
