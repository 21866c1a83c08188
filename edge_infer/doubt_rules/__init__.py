"""The rules behind the doubts: each is one comparison on samples of the image, and says what it has seen."""
