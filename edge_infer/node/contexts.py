"""What the node accepts, what it keeps of it, and in which encodings: PS3.4 Annex B, PS3.5 Annex A."""

from edge_infer.dicom.decoders import DECODERS
from edge_infer.dicom.storage_classes import MR_IMAGES

__all__ = ["EXPLICIT", "IMPLICIT", "KEPT_CLASSES", "TRANSFER_SYNTAXES", "VERIFICATION"]

VERIFICATION = "1.2.840.10008.1.1"
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"

_DEFLATED = "1.2.840.10008.1.2.1.99"

#: SOP classes that are received to be classified: MR images, classic, enhanced, and classic ones joined into enhanced.
KEPT_CLASSES = tuple(sorted(MR_IMAGES))

#: Those that the reader decodes. Without deflated explicit VR: its size shows only when it is unpacked, and images do
#: not come so.
TRANSFER_SYNTAXES = tuple(uid for uid in DECODERS if uid != _DEFLATED)
