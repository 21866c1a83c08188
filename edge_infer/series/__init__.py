"""A series of slices, read as a series: what it is taken for, what each slice says, and one stated result.

Needs no package beyond the base install; which formats can be read depends on the extras ``dicom`` and ``nifti``.
"""
