"""One file for other languages: preprocessing, model and probabilities in one graph."""
