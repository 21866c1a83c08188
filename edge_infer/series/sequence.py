"""Which sequence a series is taken for: what the scanner set before what was typed; T1 only if nothing contradicts.

Times and code words are set by the scanner, so they are right where they are present; what they mean is broad, and
vendors differ. Short times alone make no T1: balanced echoes, angiographies, field maps and fast surveys have them.
So the header is asked for signs of another sequence first, then for times; and where these look like T1 but the text
names another sequence, the text is followed, since both cannot be right and only T1 is answered.
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
_LONG_GRADIENT_TE, _ULTRASHORT_TE = 12.0, 0.5
#: No T1, whatever it is called: T1 FLAIR, the slowest, has TE 20..35 and TR 2000..3200.
_TOO_LONG_TE, _TOO_LONG_TR = 40.0, 3500.0
#: Of a gradient echo without an inversion: surveys, angiographies after contrast, dynamic series and attenuation maps.
_RUSHED_TE, _RUSHED_TR = 1.5, 4.0
#: Echoes shorter than this are gradient echoes, where the header does not say.
_GRADIENT_TE = 6.0

#: Words of the text, the most telling first: "t2 flair" is FLAIR.
_WORDS = (
    *(("adc", "dwi"), ("dwi", "dwi"), ("perfusion", "other"), ("epi", "epi"), ("swi", "other")),
    *(("t2star", "other"), ("angio", "other"), ("flow", "other"), ("spectroscopy", "other")),
    *(("ciss", "other"), ("subtraction", "other"), ("projection", "other"), ("stir", "other")),
    *(("field_map", "other"), ("b1_map", "other"), ("attenuation", "other")),
    *(("calibration", "other"), ("relaxometry", "other"), ("ultrashort", "other")),
    *(("magnetization_transfer", "other"), ("late_inversion", "other")),
    *(("double_inversion", "other"), ("elastography", "other"), ("pd", "other")),
    ("mprage", "t1"),
)
#: Code words of Image Type and of Acquisition Contrast.
_CODES = {
    **dict.fromkeys(("DIFFUSION", "ADC", "TRACEW", "FA", "EADC", "TENSOR"), "dwi"),
    **dict.fromkeys(("PERFUSION", "ASL", "DYNAMIC", "TOF", "ANGIO", "ANGIO_TIME"), "other"),
    **dict.fromkeys(("FLOW_ENCODED", "VELOCITY", "CINE", "TAGGING", "TEMPERATURE"), "other"),
    **dict.fromkeys(("PROTON_DENSITY", "STIR", "T2_STAR", "M_PCA", "PCA", "REFERENCE"), "other"),
    "FMRI": "epi",
    "FLUID_ATTENUATED": "flair",
    "FLAIR": "flair",
    "T2": "t2",
}

_Found = tuple[str, str]
_Rule = Callable[[Acquisition], "_Found | None"]


def guess_sequence(acquisition: Acquisition) -> SequenceGuess:
    """Say which sequence a series is taken for, and why.

    Args:
        acquisition: Of its slices.
    """
    contrast = _contrast(acquisition)
    name, reasons = _judged(acquisition)
    return SequenceGuess(name=name, reasons=reasons, contrast=contrast)


def _judged(given: Acquisition) -> tuple[str, tuple[str, ...]]:
    found = next((found for rule in _RULES if (found := rule(given)) is not None), None)
    described = _described(given.described_as)
    if found is None:
        return "unknown", ()
    name, reason = found
    if reason.startswith("described") or described in (None, name):
        return name, (reason,)
    told = f"described as {_told(given.described_as)}"
    if name == "t1" and described is not None:
        return described, (told, f"{reason} would be t1: they contradict each other")
    if name == "unknown":
        return name, (reason, f"{told}: they contradict each other")
    return name, (reason, f"described as {described}, which counts less")


def _contrast(acquisition: Acquisition) -> Literal["stated", "described", "unknown"]:
    if acquisition.contrast_agent:
        return "stated"
    return "described" if "contrast" in acquisition.described_as else "unknown"


def _by_modality(given: Acquisition) -> _Found | None:
    if given.modality in ("", "MR"):
        return None
    return "other", f"modality {given.modality}"


def _by_code(given: Acquisition) -> _Found | None:
    """The kind of contrast in the standard's own words. That it is T1 is asked last: by then no time contradicts it."""
    if given.acquisition_contrast in _CODES:
        return (
            _CODES[given.acquisition_contrast],
            f"acquisition contrast {given.acquisition_contrast}",
        )
    word = next((word for word in given.image_type[2:] if word in _CODES), None)
    return None if word is None else (_CODES[word], f"image type {word}")


def _by_t1_code(given: Acquisition) -> _Found | None:
    if given.acquisition_contrast == "T1":
        return "t1", "acquisition contrast T1"
    return ("t1", "image type T1") if "T1" in given.image_type[2:] else None


def _by_purpose(given: Acquisition) -> _Found | None:
    if given.shows_vessels:
        return "other", "the header says that it shows vessels"
    if "MTC" in given.sequence_variant:
        return "other", "sequence variant MTC (magnetization transfer)"
    return None


def _by_planar(given: Acquisition) -> _Found | None:
    if "EP" not in given.scanning_sequence:
        return None
    if _described(given.described_as) == "dwi":
        return "dwi", "scanning sequence EP, described as diffusion"
    return "epi", "scanning sequence EP"


def _by_gradient(given: Acquisition) -> _Found | None:
    codes, te, ti = set(given.scanning_sequence), given.echo_time_ms, given.inversion_time_ms
    is_short = not codes & {"GR", "SE"} and te is not None and te < _GRADIENT_TE
    if not is_short and ("GR" not in codes or "SE" in codes):
        return None
    kind = "GR with MP" if "MP" in given.sequence_variant else "GR"
    steady = _steady(given)
    if steady is not None or te is None:
        return steady
    told = f"scanning sequence {kind}, TE {te:g} ms" if "GR" in codes else f"TE {te:g} ms"
    if te > _LONG_GRADIENT_TE:
        return "other", f"scanning sequence GR with TE {te:g} ms (T2*)"
    if te < _ULTRASHORT_TE:
        return "other", f"{told} (ultrashort)"
    if ti is not None and ti >= _LONG_TI:
        return "other", f"{told}, TI {ti:g} ms (late inversion)"
    tr = given.repetition_time_ms
    if tr is None or _is_prepared(given) or _described(given.described_as) == "t1":
        return ("t1", told) if "GR" in codes else None
    if te < _RUSHED_TE and tr < _RUSHED_TR:
        return "other", f"{told}, TR {tr:g} ms (survey, angiography, dynamic series)"
    if tr > _LONG_TR:
        return "other", f"{told}, TR {tr:g} ms (proton density or a map)"
    return ("t1", told) if "GR" in codes else None


def _is_prepared(given: Acquisition) -> bool:
    return (
        bool({"MP", "IR"} & {*given.sequence_variant, *given.scanning_sequence})
        or given.inversion_time_ms is not None
    )


def _steady(given: Acquisition) -> _Found | None:
    """Of a steady state that is not spoiled: T2/T1, as of CISS, FIESTA, PSIF. TFE with MP is often marked so, too."""
    variant = set(given.sequence_variant)
    if "TRSS" in variant:
        return "other", "scanning sequence GR, steady state reversed in time"
    if "SS" not in variant or "SP" in variant or _is_prepared(given):
        return None
    is_called_t1 = _described(given.described_as) == "t1"
    return "unknown" if is_called_t1 else "other", "scanning sequence GR, steady state not spoiled"


def _by_inversion(given: Acquisition) -> _Found | None:
    ti, te = given.inversion_time_ms, given.echo_time_ms
    if ti is None or te is None:
        return None
    if ti >= _LONG_TI and te >= _LONG_TE:
        return "flair", f"TI {ti:g} ms, TE {te:g} ms"
    if ti < _LONG_TI and te < _SHORT_TE and ti > 300 and "TRSS" not in given.sequence_variant:
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
    if (te > _TOO_LONG_TE and tr > _LONG_TR) or tr > _TOO_LONG_TR:
        return "other", f"TE {te:g} ms, TR {tr:g} ms (proton density or between)"
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
    _by_planar,
    _by_code,
    _by_purpose,
    _by_inversion,
    _by_gradient,
    _by_echo,
    _by_t1_code,
    _by_words,
)
