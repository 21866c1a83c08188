"""Measures latency and accuracy together, in one run, and stores the environment with each figure."""
