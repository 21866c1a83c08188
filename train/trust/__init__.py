"""Whether a bundle knows when it does not know: coverage, abstention, and what it does with images of other kinds."""
