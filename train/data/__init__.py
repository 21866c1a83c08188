"""Data sets: which files there are, what they show, and their pixels and masks, decoded once."""
