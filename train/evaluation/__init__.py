"""What a checkpoint or a bundle answers on the images of one part, and how often it is right."""
