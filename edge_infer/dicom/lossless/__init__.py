"""JPEG Lossless (ITU-T T.81, SOF3, Huffman), as DICOM uses it for grey pixels; every missing pixel is noticed.

Our own decoder, since no other one without GPL code is sound: of a stream cut to 60 % and closed properly GDCM makes an
image, 30 % of it wrong, with a word on standard error only; and damaged streams crash its process.
"""
