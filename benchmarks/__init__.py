"""Measures everything: latency beside accuracy, in one run, with the environment stored beside each figure."""
