"""Images spoilt on purpose: the corruptions, and cues taken away."""
