"""Which sequences and kinds of contrast the free text of a header names; the text itself goes no further.

No convention rules these texts ("noninformative and often misleading", Project-MONAI/monai-deploy-app-sdk#505), so a
word is a hint, never a proof.
"""

import re
from collections.abc import Iterable

__all__ = ["DESCRIPTIONS", "described_as"]

_PATTERNS = {
    "t1": r"t1|mp-?2?-?rage|bravo|f?spgr|tfl",
    "t2": r"t2(?!\s*(\*|-?star))",
    "t2star": r"t2\s*(\*|-?star)",
    "flair": r"flair|dark-?fluid|tirm|spcir",
    "stir": r"stir\b",
    "pd": r"pdw?\b|proton-?dens",
    "dwi": r"dwi|diff(usion)?\b|dti\b|trace-?w|b-?(500|800|1000)\b|resolve\b",
    "adc": r"adc\b|apparent",
    "epi": r"epi?\b|epfid|epse|bold\b|fmri\b|rest(ing)?-?state",
    "perfusion": r"perf(usion)?\b|dsc\b|dce\b|p?c?asl\b|r?cb[fv]\b|mtt\b|ttp\b",
    "swi": r"swi\b|swan\b|suscept|venobold|qsm\b",
    "angio": r"tof\b|mr[av]\b|angio|pca\b",
    "ciss": r"ciss\b|fiesta|b-?ffe|b-?tfe|trufi|true-?fisp",
    "mprage": r"mp-?2?-?rage|bravo|tfl",
    "space": r"space\b|cube\b|vista\b",
    "spectroscopy": r"spectro|mrs\b|csi\b|svs\b",
    "localizer": r"loc\b|locali[sz]er|scout|survey|3-?plane|topogram",
    "contrast": r"\+\s*c\b|c\+|t1[\s-]*c(e|\+)?\b|ce\b|post(?!er|\s*fossa)|gd\b|gado?|km\b|with-?contrast"
    r"|contrast\s*enh|dotarem|magnevist|prohance|multihance|omniscan",
    "fat_saturated": r"fs\b|fat-?\s*sat|spai?r\b|spir\b|dixon",
    "subtraction": r"subtr",
}
#: All the words that can be found.
DESCRIPTIONS = frozenset(_PATTERNS)

_WORDS = {
    name: re.compile(rf"(?<![a-z0-9])(?:{pattern})", re.IGNORECASE)
    for name, pattern in _PATTERNS.items()
}
_LONGEST = 256
# Words are written together: "AxT1", "sag3DT1", "T1FLAIR", "AXT2".
_APART = re.compile(r"(?i:[23]d)|(?<=[a-z0-9])(?=[A-Z])|[_/.,;:^()]")
_AFTER_PLANE = re.compile(r"(?<![a-z])(ax|sag|cor|tra|trans|tse|se|ir|gre)(?=t[12])", re.IGNORECASE)


def described_as(texts: Iterable[str]) -> frozenset[str]:
    """Return the words of ``DESCRIPTIONS`` that any of the texts names.

    Args:
        texts: As in the header; only their first 256 characters are looked at.
    """
    apart = [_AFTER_PLANE.sub(r"\1 ", _APART.sub(" ", text[:_LONGEST])) for text in texts]
    return frozenset(
        name for name, pattern in _WORDS.items() for text in apart if pattern.search(text)
    )
