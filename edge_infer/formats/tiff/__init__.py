"""TIFF: its header, the kinds that are read, and whether its strips are complete."""
