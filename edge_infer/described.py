"""Which sequences and kinds of contrast the free text of a header names; the text itself goes no further.

No convention rules these texts ("noninformative and often misleading", Project-MONAI/monai-deploy-app-sdk#505), so a
word is a hint, never a proof.
"""

import re
import unicodedata
from collections.abc import Iterable

from edge_infer.contrast_words import contrast_described

__all__ = ["DESCRIPTIONS", "described_as", "without_accents"]

_PATTERNS = {
    "t1": r"t1|mp-?2?[\s-]?rage|bravo|f?spgr|tfl",
    "t2": r"t2(?!\s*(\*|-?star))|haste\b|ss-?[ft]se\b|hydrogr|mrcp\b",
    "t2star": r"t2\s*(\*|-?star)|ha?em\b|ha?emo|ham\b|medic\b|merge\b"
    r"|ffe\s*t2|gre\s*t2|presto\b|mensa\b"
    r"|m\s?e?gre\b|multi-?\s?echo|(mi[ck]ro)?(blut|bloed|bleed)",
    "flair": r"flair|dark-?fluid|tirm|spcir|fluid[\s-]attenuat",
    "stir": r"stir\b",
    "pd": r"pdw?\b|proton[\s-]?dens|dichte",
    "dwi": r"dwi|diff(usion)?\b|dti\b|trace-?w|b-?(500|800|1000)\b|resolve\b|tensor|tracto|noddi\b|hardi\b|dki\b",
    "adc": r"adc\b|apparent",
    "epi": r"epi?\b|epfid|epse|bold\b|fmri\b|rest(ing)?-?state",
    "perfusion": r"perf\b|perfus|dsc\b|dce\b|p?c?asl\b|r?cb[fv]\b|mtt\b|ttp\b|pwi\b|twist\b|tricks\b|4d-?trak|grasp\b"
    r"|dyn(a|amic|amique|amisch|amico|amica)?\b|permea|first[\s-]?pass|bolus|care-?bolus|time[\s-]?resolved",
    "swi": r"swi(p|m|p?i)?\b|swan|suscept|venobold|bvenob|qsm\b|(mag|pha) images",
    "angio": r"tof\b|mr[av]\b|ce-?mr[av]|angio|pca\b|willis|cow\b|[ck]aroti|veno|vena\b|venen\b|phlebo|inhance|inflow"
    r"|time-?of-?fl|trance\b|qiss\b|vertebral(is|es)?\b",
    "flow": r"flow(?!\W*comp)|venc\b|phase[\s-]?contrast|pc\b|cine\b|velocity",
    "ciss": r"ciss\b|fiesta|b-?ffe|b-?tfe|trufi|true-?fisp|b?ssfp\b|psif|dess\b|tfi\b|fisp\b|cosmic\b|balanced",
    "mprage": r"mp-?2?[\s-]?rage|bravo|tfl",
    "late_inversion": r"inv-?\s?(2|ii)\b|ti-?\s?2\b|second[\s-]?inv|2nd[\s-]?inv",
    "double_inversion": r"dir\b|double[\s-]?inv|psir\b",
    "magnetization_transfer": r"mt[cr]?\b|mt-?(on|off|sat|w|pulse)\b|magneti[sz]ation[\s-]?trans|ihmt|qmt\b|mpm\b",
    "field_map": r"b-?0(-?map)?\b|field[\s-]?map|fmap\b|shim|phase[\s-]?map|feldkarte",
    "b1_map": r"b-?1[+-]?(-?\s?map)?\b|afi\b|rf[\s-]?map|flip[\s-]?angle|tx-?map|dream\b",
    "attenuation": r"mr-?ac\b|u-?map\b|mu-?map\b|attenuation[\s-]?corr|ac[\s-]?map",
    "ultrashort": r"ute\b|zte\b|petra\b|silenz|black[\s-]?bone|pointwise",
    "calibration": r"calib|vor-?scan|cal\b|ref(erence)?[\s-]?scan|coil[\s-]?(sens|surv)|(sense|asset)[\s-]?(ref|cal)",
    "relaxometry": r"[tr][12](\*|-?star)?[\s-]?(map|rho)|molli\b|despot|mrf\b|fingerpr|vfa\b|symri|magic\b"
    r"|synthetic|relax|quant|multi-?flip",
    "projection": r"m(in?|n)?ip\b",
    "elastography": r"mre\b|elasto|tagging",
    "space": r"space\b|cube\b|vista\b",
    "spectroscopy": r"spectro|mrs\b|csi\b|svs\b",
    "localizer": r"([a-z]*pl(ane)?s?|tri|brain|head)?locs?\b|loc\d|lo[ck]alisation|locator"
    r"|topo(gram)?\b|scano(gram|graph)?\b"
    r"|(3|three|tri|drei|tre|tres|trois)[\s-]?(pl\b|pln\b|plan|eben|axis\b)|plan[\s-]?scan|fast[\s-]?view"
    r"|posi[tz]ion(ing|nement|amento|amiento|ierung)|zentrier|centratur|sucher|orientierung|auto[\s-]?align"
    r"|aa[\s-]?(head|brain|spine)|(smart|ready)[\s-]?(brain|exam)|reper(e|age)\b|centrage|centrado|pilote?\b|overzicht|oversikt|定位|位置決め"
    r"|\u043B\u043E\u043A\u0430\u043B",  # Russian
    "fat_saturated": r"fs\b|fat-?\s*sat|spai?r\b|spir\b|dixon",
    "subtraction": r"subtr|sub\b(?!-)|soustr|sottr|sustrac",
}
#: Vendors' names of sequences, in which the dimension is in the middle, as in Siemens' "*ci3d1_ns" and Philips' "s3DI".
_CODES = {
    "ciss": r"(ci|tfi|ps|de)[23]d",
    "field_map": r"fm[23]d",
    "angio": r"(s|b|m)?[23]di\b|fl[23]d\w*_ce|fl_?pc|pc[23]d|[23]di_|s[23]di",
    "t2star": r"me[23]d",
    "swi": r"swi[23]d",
    "epi": r"fmri",
    "localizer": r"3-?pl|3_?ebenen",
}
#: Parts of words, as in "AAHScout" and "Hirnarterien".
_PARTS = {
    "localizer": r"scout|survey|lo[ck]ali[sz](er|eur|ador|ator|ateur|zatore|acion|acao|ierung)|bersicht",
    "angio": r"arteri",
    "flow": r"fluss",
}
_CONTRAST = "contrast"
#: All the words that can be found.
DESCRIPTIONS = frozenset(_PATTERNS) | {_CONTRAST}

_WORDS, _IN_CODES, _IN_PARTS = (
    {name: re.compile(rf"{start}(?:{one})", re.IGNORECASE) for name, one in patterns.items()}
    for patterns, start in (
        (_PATTERNS, "(?<![a-z0-9])"),
        (_CODES, "(?<![a-z0-9])"),
        (_PARTS, ""),
    )
)
_BETWEEN = " ~ "  # no word goes on from one text to the next
_LONGEST = 256
#: Letters that are no others with an accent.
_LETTERS = str.maketrans(
    {"ß": "ss", "Ł": "L", "ł": "l", "Ø": "O", "ø": "o", "Æ": "AE", "æ": "ae", "Œ": "OE", "œ": "oe"}
)
# Words are written together: "AxT1", "sag3DT1", "T1FLAIR", "AXT2".
_APART = re.compile(r"(?i:[23]d)|(?<=[a-z0-9])(?=[A-Z])|[_/.,;:^()]")
_AFTER_PLANE = re.compile(r"(?<![a-z])(ax|sag|cor|tra|trans|tse|se|ir|gre)(?=t[12])", re.IGNORECASE)
_WEIGHTED = re.compile(r"(?<=t[12])w(?![a-z/])", re.IGNORECASE)  # of "T1W", which is no "with"


def without_accents(text: str) -> str:
    """Return a text of at most 256 characters, as it is typed where a keyboard lacks accents."""
    plain = unicodedata.normalize("NFKD", text[:_LONGEST].translate(_LETTERS))
    return "".join(one for one in plain if not unicodedata.combining(one))


def described_as(texts: Iterable[str]) -> frozenset[str]:
    """Return the words of ``DESCRIPTIONS`` that any of the texts names.

    Args:
        texts: As in the header, the most telling first; only their first 256 characters are looked at.
    """
    plain = [without_accents(text) for text in texts]
    apart = [_AFTER_PLANE.sub(r"\1 ", _APART.sub(" ", _WEIGHTED.sub(" ", one))) for one in plain]
    words, codes = _BETWEEN.join(apart), _BETWEEN.join(plain)
    found = {name for name, word in _WORDS.items() if word.search(words)}
    for patterns in (_IN_CODES, _IN_PARTS):
        found |= {name for name, one in patterns.items() if one.search(codes)}
    if contrast_described(text.lower() for text in apart):
        found.add(_CONTRAST)
    return frozenset(found)
