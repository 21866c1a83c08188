"""The pointing game: does the evidence point at the tumour?"""
