"""Figures with n and interval, and the baselines to compare them with."""
