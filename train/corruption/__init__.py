"""Images changed on purpose: corruptions, and cues removed."""
