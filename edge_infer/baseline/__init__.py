"""What results looked like when a bundle was made: ``drift`` of its manifest, read and checked."""
