"""Training itself: phases, epochs, losses, views of a batch, checkpoints that a killed run resumes from."""
