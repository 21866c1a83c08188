"""R9: signed bundles, and who may change them."""

import contextlib
import importlib.util
import io
import json
import os
import random
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reliability.bundles.good_bundles import Laid, good_bundles
from reliability.bundles.signature_attacks import ATTACKS, Place, Site, sign_files
from reliability.bundles.spied_runtime import SpiedRuntime
from reliability.campaign import Broken, Campaign, Subject
from signed_bundle import write_public

from edge_infer import Classifier
from edge_infer.errors import BundleError
from edge_infer.signature.keys import POLICY
from edge_infer.signature.public_key import key_id_of

__all__ = ["CAMPAIGN"]

_NAMES = [name for name, (_, times) in ATTACKS.items() for _ in range(times)]

#: Here the reference is asked about another set of keys than we are.
_ONLY_OURS = {"another algorithm", "keys"}


@dataclass(frozen=True, kw_only=True)
class _Ready:
    laid: Laid
    site: Site
    spy: SpiedRuntime


def _prepare_with_reference(folder: Path) -> _Ready:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("model_signing.verifying")
    return _prepare(folder)


def _prepare(folder: Path) -> _Ready:
    os.environ.pop(POLICY, None)
    return _Ready(laid=Laid.inside(folder), site=Site.made(), spy=SpiedRuntime())


def _attacked(ready: _Ready, number: int, folder: Path) -> tuple[str, Place, bool]:
    """Lay out a signed bundle and attack it; return the attack, the place and whether the bundle must load."""
    rng = random.Random(number)  # noqa: S311 -- attacks, no secrets
    base = rng.choice([0, 1, 1, 1, 2, 2, 2])  # the shipped bundle is the slowest
    files, bundle, keys = good_bundles()[base], folder / "bundle", folder / "keys"
    ready.laid.lay(base, bundle, files)
    write_public(ready.site.key, keys / "site.pem")
    write_public(ready.site.second, keys / "second.pem")
    place = Place(bundle=bundle, files=files, signature=folder / "bundle.sig", keys=keys, base=base)
    place.put(sign_files(files, ready.site.key))
    name = _NAMES[number % len(_NAMES)]
    return name, place, ATTACKS[name][0](place, ready.site, rng)


def _ours(ready: _Ready, number: int, folder: Path) -> str:
    name, place, is_good = _attacked(ready, number, folder)
    before = ready.spy.count
    try:
        Classifier.load(place.bundle, num_threads=1, self_test="off", trust=place.keys)
    except BundleError as error:
        if ready.spy.count > before:
            raise Broken(f"onnxruntime got a bundle that is refused: {name}") from error
        if is_good:
            raise Broken(f"a signed bundle was refused: {name}, {error.code}") from error
        return f"refused{_judged(ready, name, place, is_taken=False)}"
    if not is_good:
        raise Broken(f"a bundle was loaded that nobody trusted has signed: {name}")
    return f"loaded{_judged(ready, name, place, is_taken=True)}"


def _judged(ready: _Ready, name: str, place: Place, *, is_taken: bool) -> str:
    """Ask the reference about the same files and say whether it agrees; it may be more lenient, and we may not."""
    if name in _ONLY_OURS:
        return ""
    theirs = _reference_takes(ready, place)
    if is_taken and not theirs:
        raise Broken(f"a bundle was loaded that model-signing refuses: {name}")
    return ", by model-signing, too" if theirs == is_taken else ", taken by model-signing"


def _reference_takes(ready: _Ready, place: Place) -> bool:
    from model_signing import verifying

    second = key_id_of(ready.site.second.public_key())
    try:
        hint = json.loads(place.signature.read_bytes())["verificationMaterial"]["publicKey"]["hint"]
    except (OSError, ValueError, KeyError, TypeError):
        hint = ""
    public = place.keys / ("second.pem" if hint == second else "site.pem")
    verifier: Any = verifying.Config().use_elliptic_key_verifier(public_key=public)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            verifier.verify(place.bundle, place.signature)
    except Exception:  # of many classes, some of them those of its libraries
        return False
    return True


def _unasked(ready: _Ready, number: int, folder: Path) -> str:
    """The manifest alone, which vouches for itself."""
    name, place, is_good = _attacked(ready, number, folder)
    try:
        Classifier.load(place.bundle, num_threads=1, self_test="off")
    except BundleError as error:
        if is_good:
            raise Broken(f"a signed bundle was refused: {name}, {error.code}") from error
        return "refused"
    if not is_good:
        raise Broken(f"a bundle was loaded that nobody trusted has signed: {name}")
    return "loaded"


def _onnxruntime(ready: _Ready, number: int, folder: Path) -> str:
    import onnxruntime

    name, place, is_good = _attacked(ready, number, folder)
    try:
        onnxruntime.InferenceSession(
            place.bundle / "model.onnx", providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # it raises many
        if is_good:
            raise Broken(f"a signed bundle was refused: {name}") from error
        return "refused"
    if not is_good:
        raise Broken(f"a model was loaded of a bundle that nobody trusted has signed: {name}")
    return "loaded"


def _missing() -> str | None:
    absent = [name for name in ("cryptography", "model_signing", "OpenSSL") if not _is_there(name)]
    return f"not installed: {', '.join(absent)}" if absent else None


def _is_there(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


CAMPAIGN = Campaign(
    id="R9",
    title="Signed bundles",
    promise=(
        "Where a signature is asked for, a bundle loads only as a trusted key has signed it, byte for byte; any other "
        "is refused before onnxruntime sees it, and none is loaded that OpenSSF's model-signing refuses."
    ),
    attack=(
        "attacks a signed bundle: the signature's bytes, fields, statement, ECDSA numbers and DER, other algorithms "
        "and hashes, keys swapped or revoked, and bundles that are rewritten throughout and vouch for themselves"
    ),
    unit="signed bundles",
    subjects={
        "ours": Subject(
            trial=_ours, prepare=_prepare_with_reference, what="`Classifier.load(..., trust=KEYS)`"
        ),
        "control": Subject(
            trial=_unasked,
            prepare=_prepare,
            what="the manifest that vouches for itself, no signature",
        ),
        "raw": Subject(trial=_onnxruntime, prepare=_prepare, what="onnxruntime, given model.onnx"),
    },
    ci={"ours": 108, "control": 36, "raw": 36},
    full={"ours": 100_000, "control": 3_600, "raw": 3_600},
    limit_s=60,
    chunk=90,
    missing=_missing,
    control_share=0.5,
)
