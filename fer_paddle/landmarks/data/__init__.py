"""Faces with their 68 points: files on disk, and the samples a network trains on."""
