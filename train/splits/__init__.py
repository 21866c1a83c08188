"""Who is trained on and who is held out: copies, patient groups, parts, folds, leaks."""
