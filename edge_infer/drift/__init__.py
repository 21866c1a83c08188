"""Whether results still look like those the model was made for: a baseline in the bundle, and ``brain-drift``."""
