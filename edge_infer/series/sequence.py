"""Which sequence a series is taken for: what the scanner set, before what somebody typed.

Times and code words are set by the scanner, so they are right where they are present; what they mean is broad, and
vendors differ. The text is a hint only, and counts where they say nothing.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from edge_infer.scan_slice import Acquisition
from edge_infer.series.result import SequenceGuess

__all__ = ["OTHER_SEQUENCES", "guess_sequence"]

#: What the models learnt not to answer: they were trained on T1-weighted slices.
OTHER_SEQUENCES = frozenset({"t2", "flair", "dwi", "epi", "other"})

#: Milliseconds. Between the two echo times images are neither; an inversion of fluid takes longer than one of tissue.
_LONG_TE, _SHORT_TE, _LONG_TI, _SHORT_TR, _LONG_TR = 60.0, 30.0, 1500.0, 1200.0, 1500.0
_LONG_GRADIENT_TE = 12.0

#: Words of the text, the most telling first: "t2 flair" is FLAIR.
_WORDS = (
    *(("adc", "dwi"), ("dwi", "dwi"), ("perfusion", "other"), ("epi", "epi"), ("swi", "other")),
    *(("t2star", "other"), ("angio", "other"), ("spectroscopy", "other"), ("ciss", "other")),
    *(("mprage", "t1"), ("pd", "other"), ("stir", "other"), ("subtraction", "other")),
)
#: Words that overrule times and code words: these sequences have those of a T1 and do not look like one.
_UNLIKE_THEIR_TIMES = frozenset({"angio", "perfusion", "subtraction", "swi", "ciss"})
_TYPES = {"DIFFUSION": "dwi", "ADC": "dwi", "TRACEW": "dwi", "FA": "dwi", "EADC": "dwi"}

_Found = tuple[str, str]
_Rule = Callable[[Acquisition], "_Found | None"]


def guess_sequence(acquisition: Acquisition) -> SequenceGuess:
    """Say which sequence a series is taken for, and why.

    Args:
        acquisition: Of its slices.
    """
    found = next((rule(acquisition) for rule in _RULES if rule(acquisition)), None)
    described = _described(acquisition.described_as)
    contrast = _contrast(acquisition)
    if found is None:
        return SequenceGuess(name="unknown", reasons=(), contrast=contrast)
    name, reason = found
    reasons = [reason]
    if described and described != name and not reason.startswith("described"):
        reasons.append(f"described as {described}, which counts less")
    return SequenceGuess(name=name, reasons=tuple(reasons), contrast=contrast)


def _contrast(acquisition: Acquisition) -> Literal["stated", "described", "unknown"]:
    if acquisition.contrast_agent:
        return "stated"
    return "described" if "contrast" in acquisition.described_as else "unknown"


def _by_modality(given: Acquisition) -> _Found | None:
    if given.modality in ("", "MR"):
        return None
    return "other", f"modality {given.modality}"


def _by_type(given: Acquisition) -> _Found | None:
    word = next((word for word in given.image_type if word in _TYPES), None)
    return None if word is None else (_TYPES[word], f"image type {word}")


def _by_telling_words(given: Acquisition) -> _Found | None:
    if not _UNLIKE_THEIR_TIMES & given.described_as:
        return None
    name = _described(given.described_as)
    return None if name is None else (name, f"described as {_told(given.described_as)}")


def _by_planar(given: Acquisition) -> _Found | None:
    if "EP" not in given.scanning_sequence:
        return None
    if _described(given.described_as) == "dwi":
        return "dwi", "scanning sequence EP, described as diffusion"
    return "epi", "scanning sequence EP"


def _by_gradient(given: Acquisition) -> _Found | None:
    codes, te = given.scanning_sequence, given.echo_time_ms
    if "GR" not in codes or "SE" in codes:
        return None
    if te is not None and te > _LONG_GRADIENT_TE:
        return "other", f"scanning sequence GR with TE {te:g} ms (T2*)"
    if {"SS", "TRSS"} & set(given.sequence_variant) and "SP" not in given.sequence_variant:
        return None if te is None else _steady(given, te)
    if te is None:
        return None
    kind = "GR with MP" if "MP" in given.sequence_variant else "GR"
    return "t1", f"scanning sequence {kind}, TE {te:g} ms"


def _steady(given: Acquisition, te: float) -> _Found | None:
    """Of a steady state: spoiled ones are often marked so, too, and their TI or MP tells."""
    if "MP" in given.sequence_variant or given.inversion_time_ms is not None:
        return "t1", f"scanning sequence GR with MP, TE {te:g} ms"
    return None


def _by_inversion(given: Acquisition) -> _Found | None:
    ti, te = given.inversion_time_ms, given.echo_time_ms
    if ti is None or te is None:
        return None
    if ti >= _LONG_TI and te >= _LONG_TE:
        return "flair", f"TI {ti:g} ms, TE {te:g} ms"
    if ti < _LONG_TI and te < _SHORT_TE and ti > 300:
        return "t1", f"TI {ti:g} ms, TE {te:g} ms"
    if ti <= 300 and given.repetition_time_ms and given.repetition_time_ms > _LONG_TR:
        return "other", f"TI {ti:g} ms (STIR)"
    return None


def _by_echo(given: Acquisition) -> _Found | None:
    te, tr = given.echo_time_ms, given.repetition_time_ms
    if te is None:
        return None
    if te >= _LONG_TE:
        if "flair" in given.described_as:
            return "flair", f"TE {te:g} ms, described as flair"
        return "t2", f"TE {te:g} ms"
    if tr is None:
        return None
    if te < _SHORT_TE and tr <= _SHORT_TR:
        return "t1", f"TE {te:g} ms, TR {tr:g} ms"
    if tr > _LONG_TR and not {"t1", "flair"} & given.described_as:
        return "other", f"TE {te:g} ms, TR {tr:g} ms (proton density or between)"
    return None


def _by_words(given: Acquisition) -> _Found | None:
    name = _described(given.described_as)
    return None if name is None else (name, f"described as {_told(given.described_as)}")


def _described(words: frozenset[str]) -> str | None:
    for word, name in _WORDS:
        if word in words:
            return name
    if "flair" in words:
        return "t1" if "t1" in words and "t2" not in words else "flair"
    told = words & {"t1", "t2"}
    return next(iter(told)) if len(told) == 1 else None


def _told(words: frozenset[str]) -> str:
    """Return the words that say a sequence, in one order; they are of a fixed list."""
    kinds = {word for word, _ in _WORDS} | {"t1", "t2", "flair"}
    return " ".join(sorted(words & kinds))


_RULES: Sequence[_Rule] = (
    _by_modality,
    _by_type,
    _by_telling_words,
    _by_planar,
    _by_inversion,
    _by_gradient,
    _by_echo,
    _by_words,
)
