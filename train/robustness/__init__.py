"""What a model answers when images are spoilt or a cue is taken away."""
