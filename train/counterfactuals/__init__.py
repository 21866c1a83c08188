"""Counterfactual images: a scan without its tumour, a healthy head with one, and the same seams where nothing changes.

In BRISC 2025, as in the sets it shares images with, healthy heads are of another sequence than tumours (docs/data.md).
A model can then be right by the sequence alone. These images break that: the same head, scanner and sequence, with
and without a tumour. They are for training only; nothing is measured on them.
"""
