"""R7: bundles that are not as they were written."""

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from reliability.bundles.damage import IN_FILES, IN_FOLDER
from reliability.bundles.good_bundles import Files, Laid, good_bundles
from reliability.bundles.rewriting import CONSISTENT, CONTRADICTING
from reliability.bundles.spied_runtime import SpiedRuntime
from reliability.bundles.swapping import load_while_swapped
from reliability.campaign import Broken, Campaign, Subject

from edge_infer import Classifier
from edge_infer import bundle as bundle_module
from edge_infer.bundle import load_bundle
from edge_infer.contract import INPUT_NAME
from edge_infer.errors import BundleError, SelfTestFailed

__all__ = ["CAMPAIGN"]

#: Of a hundred trials: this many good bundles, contradicting rewrites and consistent ones; the others are damage.
_GOOD, _CONTRADICTING, _CONSISTENT = 3, 8, 1
#: This one of a hundred swaps the model for another one while the bundle is loaded.
_SWAPPED = 99

#: The shipped graph standardises each image itself, so another scale of its grey values changes no answer.
_NOT_FOR_THE_SHIPPED = {"scale of grey values"}


@dataclass(frozen=True, kw_only=True)
class _Ready:
    laid: Laid
    spy: SpiedRuntime


@dataclass(frozen=True, kw_only=True)
class _Attack:
    """What lies in the folder.

    Attributes:
        family: ``good``, ``damaged``, ``contradicting`` or ``consistent``.
        what: Which one, for the sentence about a failure.
    """

    family: str
    what: str


def _prepare(folder: Path) -> _Ready:
    return _Ready(laid=Laid.inside(folder), spy=SpiedRuntime())


def _laid(laid: Laid, number: int, target: Path) -> _Attack:
    """Lay out the bundle of one trial."""
    rng = random.Random(number)  # noqa: S311 -- places, no secrets
    base = rng.randrange(len(laid.folders))
    files, name = good_bundles()[base], rng.choice(sorted(good_bundles()[base]))
    turn = number % 100
    if turn < _GOOD:
        return _good(laid, base, target, rng)
    turn -= _GOOD
    for family, rewrites, share in (
        ("contradicting", CONTRADICTING, _CONTRADICTING),
        ("consistent", CONSISTENT, _CONSISTENT),
    ):
        if turn < share:
            what = rng.choice(sorted(rewrites))
            if base == 0 and what in _NOT_FOR_THE_SHIPPED:
                base, files = 1, good_bundles()[1]
            laid.lay(base, target, rewrites[what](files, rng))
            return _Attack(family=family, what=what)
        turn -= share
    what = rng.choice([*sorted(IN_FILES), *sorted(IN_FOLDER)])
    if what in IN_FOLDER:
        laid.lay(base, target, files)
        IN_FOLDER[what](target, name, rng)
    else:
        spoilt = _really_spoilt(what, files, name, rng, good_bundles()[base - 1])
        laid.lay(base, target, spoilt)
    return _Attack(family="damaged", what=f"{what}, {name}")


def _really_spoilt(what: str, files: Files, name: str, rng: random.Random, other: Files) -> Files:
    """A block of zeros over zeros changes nothing, so it is tried until something has changed."""
    while True:
        spoilt = IN_FILES[what](files, name, rng, other)
        if spoilt != files:
            return spoilt


def _good(laid: Laid, base: int, target: Path, rng: random.Random) -> _Attack:
    """A bundle that is as it was written, in one of the ways in which package managers store files."""
    files = good_bundles()[base]
    linked = rng.sample(sorted(files), rng.randint(0, len(files)))
    laid.lay(base, target, files, linked=linked)
    if rng.random() < 0.3:
        (target / ".gitattributes").write_text("*.onnx filter=lfs\n")
    return _Attack(family="good", what=f"{len(linked)} links")


def _ours(ready: _Ready, number: int, folder: Path) -> str:
    target = folder / "bundle"
    if number % 100 == _SWAPPED:
        return load_while_swapped(target, random.Random(number))  # noqa: S311 -- times, no secrets
    attack = _laid(ready.laid, number, target)
    before = ready.spy.count
    try:
        Classifier.load(target, num_threads=1)
    except (BundleError, SelfTestFailed) as error:
        given = ready.spy.count - before
        if attack.family == "good":
            raise Broken(f"a good bundle was refused: {attack.what}, {error.code}") from error
        if given and attack.family == "damaged":
            raise Broken(f"onnxruntime got a damaged bundle: {attack.what}") from error
        when = "by its known answers" if given else "before onnxruntime"
        return f"{attack.family}: refused {when}, {error.code}"
    if attack.family in ("damaged", "contradicting"):
        raise Broken(f"a bundle was loaded that is not as it was written: {attack.what}")
    told = ", which only a signature would tell" if attack.family == "consistent" else ""
    return f"{attack.family}: loaded{told}"


def _without_digests(folder: Path) -> Laid:
    bundle_module._check_digests = lambda _contents, _described: None
    return Laid.inside(folder)


def _careless(laid: Laid, number: int, folder: Path) -> str:
    target = folder / "bundle"
    attack = _laid(laid, number, target)
    try:
        load_bundle(target)
    except BundleError as error:
        return f"{attack.family}: refused, {error.code}"
    if attack.family == "damaged":
        raise Broken(f"a damaged bundle was loaded: {attack.what}")
    return f"{attack.family}: loaded"


def _onnxruntime(_: None, number: int, folder: Path) -> str:
    """The model alone, as a program gets it that gives its path to onnxruntime."""
    import onnxruntime

    rng = random.Random(number)  # noqa: S311 -- places, no secrets
    base = rng.randrange(len(good_bundles()))
    files = good_bundles()[base]
    what = rng.choice(["bit", "byte", "block", "truncated", "appended", "moved"])
    spoilt = _really_spoilt(what, files, "model.onnx", rng, files)["model.onnx"]
    path = folder / "model.onnx"
    path.write_bytes(spoilt)
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    try:
        session = onnxruntime.InferenceSession(str(path), options)
    except Exception as error:  # several classes, UnicodeDecodeError among them
        return f"refused, {type(error).__name__}"
    raise Broken(f"{what}: loaded, and {_how_it_answers(session, base, rng)}")


def _how_it_answers(session: object, base: int, rng: random.Random) -> str:
    side = 224 if base == 0 else 32
    pixels = np.random.default_rng(rng.randrange(2**32)).random((1, 3, side, side), np.float32)
    try:
        spoilt = session.run(None, {INPUT_NAME: pixels})  # type: ignore[attr-defined]
    except Exception:
        return "then fails"
    good = _good_session(base).run(None, {INPUT_NAME: pixels})
    same = all(np.array_equal(a, b) for a, b in zip(spoilt, good, strict=False))
    return "answers as before" if same else "answers otherwise"


_SESSIONS: dict[int, object] = {}


def _good_session(base: int) -> object:
    import onnxruntime

    if base not in _SESSIONS:
        _SESSIONS[base] = onnxruntime.InferenceSession(good_bundles()[base]["model.onnx"])
    return _SESSIONS[base]


CAMPAIGN = Campaign(
    id="R7",
    title="Tampered bundles",
    promise="A bundle of which any byte, name or file differs is refused before onnxruntime gets the model; one that "
    "contradicts itself is refused, too; a good copy is not.",
    attack="damages one of three bundles in one of 15 ways, or rewrites it with digests that are right (8 of 100), "
    "lays out a good copy (3 of 100), or swaps the model while it is loaded (1 of 100)",
    unit="bundles",
    subjects={
        "ours": Subject(
            trial=_ours, prepare=_prepare, what="`Classifier.load`, with its self-test"
        ),
        "control": Subject(
            trial=_careless,
            prepare=_without_digests,
            what="`load_bundle` without the check of digests",
        ),
        "raw": Subject(
            trial=_onnxruntime, what="onnxruntime with the path of the damaged `model.onnx`"
        ),
    },
    ci={"ours": 150, "control": 50, "raw": 10},
    full={"ours": 100_000, "control": 10_000, "raw": 10_000},
    limit_s=30,
    chunk=100,
    control_share=0.1,
)
