"""Figures with n and a 95 % interval, for every storey: shares, calibration, paired differences. Needs numpy alone."""
