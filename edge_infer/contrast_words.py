"""Whether the free text of a header says that a contrast agent was given, that none was, or neither.

What denies it is looked for first, since both name the agent: "ohne KM", "pre gad", "T1 C-".
"""

import re
from collections.abc import Iterable

__all__ = ["contrast_described"]

_AGENT = r"(?:k\s?m\b|[ck]ontras\w*|gad\b|gado\w*|gd\b|m\s?d\s?c\b|inj\w*|iv\b|i\s?v\b|ce\b|c\b(?!\s*-)|agent\w*)"
_LINK = r"(?:(?:i\s?v|iv|the|any|intraven\w*|mezzo|medio|produit|di|de|du|d|il|la|le|l|el|of|gabe|von)\W+)*"
_NOT = (
    r"ohne|vor|kein\w*|without|w\s?/?\s?o|wo|non|no|not|pre|before|sans|avant|senza|prima|sin|antes|sem|zonder|voor|bez|utan"
    r"|uden"
)
_WITH = r"mit|nach|with|w\s?/?|post|after|avec|apres|con|dopo|despues|tras|met|na|com|apos|po|z|med|efter|s/p"

#: Given after an operation, a therapy or a birth, or a place: no word of an agent.
_OTHER_POST = (
    r"er|fossa|op|surg|treat|therap|rad|rt\b|xrt|srs|gk|chemo|biops|resec|trauma|natal|partum|ictal|stroke|shunt|dbs|cran"
    r"|implant|proc|label|mort|fx|tx|embol|coil|stent|clip|ablat|stim|vacc|covid|pre\b"
)
_DENIED = re.compile(
    rf"(?<![a-z0-9])(?:{_NOT})\W*{_LINK}{_AGENT}|(?<![a-z0-9])(?:t1w?\s*)?(?:c|gd|gad|gado|ce|km)-(?=\W|$)"
    r"|(?<![a-z0-9+])(?:t[12]w?)?\s?-\s?c\b(?!\s*\+)"
)
_UNENHANCED = re.compile(
    r"(?<![a-z])(?:nativ[aeo]?|unenhanced|non-?\s?enhanced|contrast\s?less|(?:[ck]ontrast\w*|km)[\s-]?frei)\b"
)
_GIVEN = re.compile(
    r"\+\s*c\b|(?<![a-z0-9])c\s?\+|^\s*\+|\+\s*$|t1w?\s*c\b|t1w?[\s-]*ce\b|t1w?-?(?:km|gd|gado)"
    rf"|(?<![a-z0-9])(?:ce\b|gd\b|gad\b|gado|k\s?m\b|m\s?d\s?c\b|kontrast|contrast\s*enh|enhanced|inject|inj\b|post\s*c\b"
    rf"|post(?!\W*(?:{_OTHER_POST}))|(?:{_WITH})\W*{_LINK}{_AGENT}"
    r"|dotarem|clariscan|magnevist|prohance|multihance|omniscan|vueway|elucirem|primovist|eovist|vasovist)"
)


def contrast_described(texts: Iterable[str]) -> bool:
    """Return whether the first text that speaks of an agent says that it was given.

    Args:
        texts: Without accents, in small letters, the most telling one first. "W/WO" speaks of both: it decides nothing.
    """
    for text in texts:
        left = _DENIED.sub(" ~ ", text)
        if _UNENHANCED.search(left):
            return False
        if _GIVEN.search(left):
            return True
        if left != text:
            return False
    return False
