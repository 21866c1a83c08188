"""Results as DICOM objects: a structured report (TID 1500) and secondary captures, with the patient and study copied.

Needs the extra ``dicom``; nothing below imports this room. docs/structured-results.md says what is in the objects.
"""
