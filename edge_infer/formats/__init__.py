"""File formats: what a file is, whether it is whole, and what of it is not read here."""
