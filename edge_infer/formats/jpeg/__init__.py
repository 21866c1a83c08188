"""JPEG: whether the coded data are complete, walked code by code without decoding pixels."""
