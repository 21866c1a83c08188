"""Whether the header says that the scan shows the head: yes, no, or it does not say.

15 % of the body parts in headers were wrong, and most scanners set none (SPIE 4685:280, 2002). So a missing one refuses
nothing, and a wrong one can be overruled. A value that is there must be known as a head: what is typed for other parts
("L-SPINE", "HWS/BWS", "Hüfte") has no end, what is typed for heads nearly has one.
"""

import re
from typing import Literal

from edge_infer.described import without_accents
from edge_infer.dicom.frames import Frame
from edge_infer.dicom.header import items_of, raw
from edge_infer.dicom.texts import texts_of, typed_codes

__all__ = ["Head", "head_stated"]

Head = Literal["yes", "no", "unknown"]

#: Within a word, whatever else is said.
_BRAIN = re.compile(
    r"BRAIN|SKULL|CRANI|\bKRANI|\bCRANE\b|CEREB(R|E)|CERVEAU|CERVELL|EN[CKZ]E(PH|F)A|HIRN|SCHA?E?DEL|HERSEN"
    r"|PITUIT|HYPOPH[YI]S|HIPOFIS|IPOFISI|\bSELLA|HIPPOCAMP|MOZG|MOZOG|HJ[AE]RN|HJERNE|\bAIVO|AGYKOPONYA|\bBEYIN"
    # Russian and Ukrainian head, brain, skull; Greek brain and head, skull.
    r"|\u0413\u041E\u041B\u041E\u0412|\u041C\u041E\u0417\u0413|\u041C\u041E\u0417\u041E\u041A|\u0427\u0415\u0420\u0415\u041F|\u039A\u0395\u03A6\u0391\u039B|\u039A\u03A1\u0391\u039D\u0399"
    r"|头|頭|脑|腦|脳|颅|머리|뇌"
)
#: Words that mean the head only if nothing names another part: there is a head of the femur, too.
_HEAD = frozenset(
    (
        *(
            "HEAD",
            "HEADNECK",
            "KOPF",
            "TETE",
            "TESTA",
            "CABEZA",
            "CABECA",
            "CAPO",
            "HOOFD",
            "GLOWA",
            "HLAVA",
        ),
        *(
            "HODE",
            "HOVED",
            "HUVUD",
            "PAA",
            "FEJ",
            "KAFA",
            "GLAVA",
            "NEURO",
            "ORBIT",
            "ORBITS",
            "ORBITA",
        ),
        *(
            "ORBITAS",
            "ORBITAE",
            "IAC",
            "IACS",
            "IAM",
            "IAMS",
            "MENINGES",
            "TEMPORAL",
            "KOPFHALS",
            "HEADANDNECK",
        ),
    )
)
_NEUTRAL = re.compile(
    r"MRI?|MRT|IRM|RM|RMN|MR[AV]|AND|UND|ET|Y|E|EN|OR|OF|THE|LA|DE|WITH|WITHOUT|W|WO|O|CONTRAST|KM|ROUTINE|BONES?|LOBES?"
    r"|NECK|HALS|COU|CUELLO|COLLO|PESCOCO|NEK|SZYJA|HNO|ENT|ORL|FACE|L|R|LEFT|RIGHT|BOTH|\d+"
)
_FOSSA = re.compile(r"POSTERIOR FOSSA|FOSSA POSTERIOR|FOSSE POSTERIEURE")
_UNSAID = re.compile(r"UNKNOWN|UNDEF(INED)?|UNSPEC(IFIED)?|NOT (SPECIFIED|SET|DEFINED)|NONE|N ?A|")
#: SNOMED CT, and the older codes of SNOMED RT.
_HEAD_CODES = frozenset(
    (
        *("12738006", "T-A0100", "258335003"),  # brain
        *("69536005", "T-D1100", "302548004"),  # head
        *("89546000", "T-11100", "1101003", "T-D1400"),  # skull, intracranial
        *("774007", "T-D1000"),  # head and neck
        *("56329008", "T-B1000", "42575006", "T-D1460"),  # pituitary, sella turcica
        *("361078006", "T-AB959", "363654007", "T-D14AE"),  # internal auditory canal, orbit
        *("60911003", "T-11130", "83678007", "113305005"),  # temporal bone, cerebrum, cerebellum
    )
)
#: Of free text, only what is unmistakable. A hand or a foot may be what a patient moved.
_ELSEWHERE = re.compile(
    r"\b(KNEE|KNIE|GENOU|RODILLA|GINOCCHIO|[CTL] ?SPINE|SPINE|[HBL]WS|WIRBELSAULE|WIRBELSAEULE|RACHIS|COLUMNA|COLONNA"
    r"|PROSTAT\w*|ABDOM\w*|PELVI[SCE]\w*|BECKEN|BASSIN|LIVER|LEBER|FOIE|KIDNEY|NIERE|SHOULDER|SCHULTER|EPAULE|HOMBRO"
    r"|SPALLA|HIPS?|HUFTE|HUEFTE|HANCHE|CADERA|ANKLE|CHEVILLE|TOBILLO|SPRUNGGELENK|WRIST|ELBOW|ELLENBOGEN|BREASTS?"
    r"|MAMMA|MAMMO\w*|HEART|HERZ|COEUR|THORAX|CHEST|LUMBAR|LUMBAL|LOMBAIRE|PANCREAS|UTERUS|RECTUM)\b"
)


def head_stated(frame: Frame) -> Head:
    """Return whether the header says that it is a head.

    By Body Part Examined and Anatomic Region, where one "no" is enough; where neither says anything, by words of the
    series' own texts, else of the study's, which can only say no.
    """
    told = {
        *(frame.once(_of_words, text) for text in typed_codes(frame, "BodyPartExamined")),
        *map(_of_region, _regions(frame)),
    }
    if "no" in told:
        return "no"
    if "yes" in told:
        return "yes"
    for keywords in (("SeriesDescription", "ProtocolName"), ("StudyDescription",)):
        text = frame.once(_plain, " ".join(texts_of(frame, *keywords)))
        if _BRAIN.search(text) or _HEAD & set(text.split()):
            return "unknown"
        if _ELSEWHERE.search(text):
            return "no"
    return "unknown"


def _regions(frame: Frame) -> list[object]:
    group = frame.group("FrameAnatomySequence")
    places = frame.plain if group is None else (group, *frame.plain)
    return [item for place in places for item in items_of(place, "AnatomicRegionSequence")]


def _of_region(region: object) -> Head:
    if str(raw(region, "CodeValue") or "").strip() in _HEAD_CODES:
        return "yes"
    return _of_words(str(raw(region, "CodeMeaning") or ""))


def _of_words(text: str) -> Head:
    plain = _plain(text)
    if _UNSAID.fullmatch(plain):
        return "unknown"
    if _BRAIN.search(plain) or _FOSSA.search(plain):
        return "yes"
    rest = [word for word in plain.split() if not _NEUTRAL.fullmatch(word)]
    return "yes" if rest and _HEAD.issuperset(rest) else "no"


def _plain(text: str) -> str:
    """Return capitals without accents, and nothing but letters and digits between spaces."""
    return " ".join(re.sub(r"[\W_]+", " ", without_accents(text).upper()).split())
