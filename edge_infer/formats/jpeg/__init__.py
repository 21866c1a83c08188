"""JPEG: whether the coded data are whole, walked code by code without a pixel."""
