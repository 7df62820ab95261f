"""Chapters 1.3 and 1.4: experiments. Many small trainings under one stated budget, each result from a command."""
