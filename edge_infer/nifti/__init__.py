"""NIfTI volumes become slices, shown as a radiologist sees them. Needs the extra ``nifti``.

A NIfTI states neither modality nor part of the body, and has no window: nothing tells a T1 after contrast from any
other volume but the eye, and perhaps the name of the file.
"""
