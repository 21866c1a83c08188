"""Figures with n and interval, and the baselines to hold them against."""
