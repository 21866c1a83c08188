"""File formats: which one a file has, whether it is complete, and whether it can be read here."""
