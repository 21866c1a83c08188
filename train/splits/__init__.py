"""Which images are trained on and which are held out: copies, patient groups, parts, folds, leaks."""
