"""Whether the header says that the scan shows the head: yes, no, or it does not say.

15 % of the body parts in headers were wrong, and most scanners set none (SPIE 4685:280, 2002). So a missing one refuses
nothing, and a wrong one can be overruled.
"""

import re
from typing import Literal

from edge_infer.dicom.frames import Frame
from edge_infer.dicom.header import item_of, raw, words

__all__ = ["Head", "head_stated"]

Head = Literal["yes", "no", "unknown"]

_HEAD = re.compile(
    r"HEAD|BRAIN|SKULL|CRANI|CEREB|NEURO|PITUIT|SELLA|ORBIT|\bIAC|KOPF|SCHAEDEL|HIRN|TETE|CRANE|CERVEAU|TESTA|ENCEFAL|CABEZA"
    r"|CEREBRO|TEMPORAL|HIPPOCAMP|POSTERIOR ?FOSSA|MENING|BASE OF SKULL"
)
_UNSAID = re.compile(r"UNKNOWN|UNDEF|UNSPEC|OTHER|NONE|N/?A|ANY|ALL|MR|MRI|TEST|\W*")
#: SNOMED CT, and the older codes of SNOMED RT: brain, head, skull, head and neck, pituitary.
_HEAD_CODES = frozenset(
    (
        *("12738006", "69536005", "89546000", "774007", "56329008"),
        *("T-A0100", "T-D1100", "T-11100", "T-D1000", "T-B1000"),
    )
)


def head_stated(frame: Frame) -> Head:
    """Return whether the header says that it is a head, by Body Part Examined, else by Anatomic Region."""
    part = " ".join(words(frame.top, "BodyPartExamined"))
    if part and not _UNSAID.fullmatch(part):
        return "yes" if _HEAD.search(part) else "no"
    group = frame.group("FrameAnatomySequence")
    region = item_of(group, "AnatomicRegionSequence") or item_of(
        frame.top, "AnatomicRegionSequence"
    )
    if region is None:
        return "unknown"
    meaning = str(raw(region, "CodeMeaning") or "").upper()
    if str(raw(region, "CodeValue") or "") in _HEAD_CODES or _HEAD.search(meaning):
        return "yes"
    return "no" if meaning else "unknown"
