"""Tumour against no tumour inside one volume: does a model find the tumour, or read the sequence?"""
