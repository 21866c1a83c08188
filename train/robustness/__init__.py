"""What a model answers on corrupted images, and on images without a cue."""
