"""The attributes that are looked at; all others are skipped, so that names and dates are never in memory as such.

Patient's Name and ID are taken out of a header at once, and become a digest (``edge_infer.dicom.patient``).

Numbers are those of PS3.6. Attributes within functional groups come with their sequences.
"""

__all__ = [
    "FLOAT_PIXELS",
    "GE_IMAGE_TYPE",
    "HEADER_TAGS",
    "MOSAIC_COUNT",
    "PIXEL_DATA",
    "PIXEL_TAGS",
]

PIXEL_DATA = 0x7FE00010
#: Float Pixel Data and Double Float Pixel Data.
FLOAT_PIXELS = frozenset({0x7FE00008, 0x7FE00009})

#: Private attributes by group and element within their block: Siemens' Number Of Images In Mosaic, GE's Image Type.
MOSAIC_COUNT, GE_IMAGE_TYPE = (0x0019, 0x0A), (0x0043, 0x2F)
PRIVATE = (MOSAIC_COUNT, GE_IMAGE_TYPE)

_IDENTITY = (
    *(0x00080016, 0x00080018),  # SOP Class, SOP Instance
    *(0x0020000D, 0x0020000E),  # Study, Series
)
_DEVICE = (0x00080070, 0x00081090)  # Manufacturer, Manufacturer's Model Name
_KIND = (
    *(0x00080008, 0x00080060, 0x00080064),  # Image Type, Modality, Conversion Type
    *(
        0x00089205,
        0x00089208,
        0x00089209,
    ),  # Pixel Presentation, Complex Image Component, Acquisition Contrast
    *(
        0x00180015,
        0x00082218,
        0x00280301,
    ),  # Body Part Examined, Anatomic Region, Burned In Annotation
    0x00181310,  # Acquisition Matrix
)
_BLOCKS = range(0x10, 0x100)
#: Who owns a private block is said in the block's own element, so all blocks are looked at (PS3.5 section 7.8.1).
_PRIVATE = tuple(
    tag
    for group, element in PRIVATE
    for block in _BLOCKS
    for tag in (group << 16 | block, group << 16 | block << 8 | element)
)
_ACQUISITION = (
    *(
        0x00081030,
        0x0008103E,
        0x00181030,
        0x00180024,
        0x00189005,
    ),  # Study and Series Description, Protocol, Sequence Name (and enhanced)
    *(
        0x00180020,
        0x00180021,
        0x00189008,
        0x00189018,
    ),  # Scanning Sequence, Variant, Echo Pulse Sequence, Echo Planar
    *(0x00180080, 0x00180081, 0x00180082, 0x00181314),  # TR, TE, TI, Flip Angle
    *(0x00180010, 0x00180012),  # Contrast/Bolus Agent, and its sequence
    *(0x00189009, 0x00189016),  # Inversion Recovery, Spoiling
    *(0x00180025, 0x00189014, 0x00189015),  # Angio Flag, Phase Contrast, Time Of Flight Contrast
    *(0x00189017, 0x00189020),  # Steady State Pulse Sequence, Magnetization Transfer
)
_GEOMETRY = (
    *(0x00200032, 0x00200037),  # Image Position, Image Orientation
    *(0x00280030, 0x00280034),  # Pixel Spacing, Pixel Aspect Ratio
)
_PIXELS = (
    *(
        0x00280002,
        0x00280004,
        0x00280006,
        0x00280008,
    ),  # Samples, Photometric, Planar Configuration, Frames
    *(0x00280010, 0x00280011),  # Rows, Columns
    *(
        0x00280100,
        0x00280101,
        0x00280102,
        0x00280103,
    ),  # Bits Allocated, Stored, High Bit, Pixel Representation
)
_GREY = (
    *(0x00280120, 0x00280121),  # Pixel Padding Value, Range Limit
    *(0x00281050, 0x00281051, 0x00281056),  # Window Centre, Width, VOI LUT Function
    *(0x00281052, 0x00281053),  # Rescale Intercept, Slope
    *(0x00283000, 0x00283010),  # Modality LUT, VOI LUT
    0x20500020,  # Presentation LUT Shape
    0x00282110,  # Lossy Image Compression
)
_GROUPS = (0x52009229, 0x52009230)  # Functional Groups, shared and per frame

HEADER_TAGS = (
    *(*_IDENTITY, *_DEVICE, *_KIND, *_PRIVATE, *_ACQUISITION),
    *(*_GEOMETRY, *_PIXELS, *_GREY, *_GROUPS),
)

#: Besides those of the header: colour palettes, Extended Offset Table, and the pixels of every kind.
PIXEL_TAGS = (
    *(0x00281101, 0x00281102, 0x00281103),
    *(0x00281201, 0x00281202, 0x00281203),
    *(0x7FE00001, 0x7FE00002),
    *(0x7FE00008, 0x7FE00009, PIXEL_DATA),
)
