"""DICOM files become slices: header first, pixels when they are asked for; what is no head MR is refused by name.

Needs the extra ``dicom``. Nothing outside of this room and those that write DICOM imports pydicom, and no value of a
header leaves it but numbers, identifiers, and words out of fixed lists.
"""
