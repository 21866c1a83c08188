"""R8: models that do more than compute, in bundles whose digests are right."""

import os
import random
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from reliability.bundles.encodings import TRIES, try_encodings
from reliability.bundles.good_bundles import Laid, good_bundles, vouched
from reliability.bundles.hostile_content import REFUSED_CONTENT
from reliability.bundles.hostile_graphs import NAMED_ENDING
from reliability.bundles.opened_files import WatchedFile
from reliability.bundles.spied_runtime import SpiedRuntime
from reliability.campaign import Broken, Campaign, Seen, Subject
from wire_mutations import facts_of_onnx

from edge_infer import Classifier
from edge_infer import bundle as bundle_module
from edge_infer.bundle import load_bundle
from edge_infer.bundle_files import MAX_BUNDLE_BYTES
from edge_infer.errors import BrainError, BundleIntegrity, ContentRefused
from edge_infer.graph_facts import GraphFacts

__all__ = ["CAMPAIGN"]

#: No process needs more here; a bomb that got through meets this wall instead of taking the machine down.
_MEMORY_BYTES = 6 * 2**30

_TOO_LARGE = "over the cap"


@dataclass(frozen=True, kw_only=True)
class _Ready:
    laid: Laid
    spy: SpiedRuntime
    canary: WatchedFile


def _prepare(folder: Path) -> _Ready:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, resource.RLIM_INFINITY))
    canary = folder / "canary.bin"
    canary.write_bytes(bytes(4096))
    watched = WatchedFile(canary)
    canary.read_bytes()
    if not watched.was_opened():
        raise OSError("the canary was read, and nobody noticed")
    os.chdir(folder)  # onnxruntime looks there for what lies outside of a model
    return _Ready(laid=Laid.inside(folder), spy=SpiedRuntime(), canary=watched)


def _attack(number: int) -> tuple[str, str]:
    """Return family and name of the attack of a trial."""
    names = [
        *(("content", name) for name in REFUSED_CONTENT),
        *(("ending", name) for name in NAMED_ENDING),
        ("cap", _TOO_LARGE),
        ("encoding", "encoding"),
    ]
    return names[number % len(names)]


def _hostile(family: str, name: str, number: int, canary: Path) -> tuple[int, bytes]:
    """Return the number of a good bundle, and the model that takes the place of its own."""
    rng = random.Random(number)  # noqa: S311 -- places, no secrets
    base = rng.choice([1, 2]) if family != "content" else rng.choice([0, 1, 1, 2, 2])
    good = good_bundles()[base]["model.onnx"]
    if family == "cap":
        return base, good
    model = onnx.load_from_string(good)
    made = {**REFUSED_CONTENT, **NAMED_ENDING}[name](model, rng, canary)
    return base, model.SerializeToString() if made is None else made


def _laid(laid: Laid, number: int, target: Path, canary: Path) -> tuple[str, str]:
    family, name = _attack(number)
    base, model = _hostile(family, name, number, canary)
    files = good_bundles()[base]
    laid.lay(base, target, vouched({**files, "model.onnx": model}))
    if family == "cap":  # a hole, so that it costs nothing
        path = target / sorted(files)[number // 7 % len(files)]
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data)
        os.truncate(path, MAX_BUNDLE_BYTES + number)
    return family, name


def _ours(ready: _Ready, number: int, folder: Path) -> str | Seen:
    if _attack(number)[0] == "encoding":
        return try_encodings(random.Random(number))  # noqa: S311 -- places, no secrets
    target = folder / "bundle"
    family, name = _laid(ready.laid, number, target, ready.canary.path)
    before = ready.spy.count
    ready.canary.was_opened()
    try:
        Classifier.load(target, num_threads=1, self_test="full")
        ending, error = "loaded, with all known answers", None
    except BrainError as caught:
        ending, error = caught.code, caught
    given = ready.spy.count > before
    if ready.canary.was_opened():
        raise Broken(f"a file outside of the bundle was opened: {name}")
    if family == "ending":
        return f"{'given to onnxruntime' if given else 'not given'}: {ending}"
    if given:
        raise Broken(f"onnxruntime got the model: {name}, {ending}")
    if not isinstance(error, ContentRefused | BundleIntegrity):
        raise Broken(f"{name}: {ending}, expected content_refused") from error
    if isinstance(error, BundleIntegrity) and "not an ONNX file" not in error.message:
        raise Broken(f"{name}: refused as damaged") from error
    return f"refused before onnxruntime, {ending}"


def _without_content_check(folder: Path) -> _Ready:
    def facts(data: bytes) -> GraphFacts:
        try:
            found = facts_of_onnx(onnx.load_from_string(data))
        except DecodeError as error:
            raise BundleIntegrity("model.onnx: is not an ONNX file") from error
        del found["forbidden"]
        return GraphFacts(last_sides={}, **found)  # type: ignore[arg-type]

    bundle_module.graph_facts = facts
    return _prepare(folder)


def _careless(ready: _Ready, number: int, folder: Path) -> str:
    if _attack(number)[0] == "encoding":
        return "not tried"
    target = folder / "bundle"
    family, name = _laid(ready.laid, number, target, ready.canary.path)
    try:
        load_bundle(target)
    except BrainError as error:
        return f"refused, {error.code}"
    if family == "ending":
        return "verified, left to onnxruntime"
    raise Broken(f"accepted: {name}")


#: Opens a model as any program would, and asks it once.
_PLAIN = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, 6 * 2**30))
import numpy as np, onnxruntime
options = onnxruntime.SessionOptions()
options.log_severity_level, options.intra_op_num_threads = 4, 1
try:
    session = onnxruntime.InferenceSession(sys.argv[1], options)
except Exception as error:
    sys.exit(f"refused, {type(error).__name__}")
try:
    session.run(None, {"pixel_values": np.zeros((1, 3, int(sys.argv[2]), int(sys.argv[2])), np.float32)})
except Exception as error:
    sys.exit(f"failed in a run, {type(error).__name__}")
print("answered")
"""


def _plain(ready: _Ready, number: int, folder: Path) -> str:
    """Only models that must be refused."""
    names = sorted(REFUSED_CONTENT)
    name = names[number % len(names)]
    base, model = _hostile("content", name, number, ready.canary.path)
    path = folder / "model.onnx"
    path.write_bytes(model)
    ready.canary.was_opened()
    command = [sys.executable, "-c", _PLAIN, str(path), "224" if base == 0 else "32"]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except subprocess.TimeoutExpired as error:
        raise Broken(f"{name}: ran for 20 s, and was killed") from error
    if ready.canary.was_opened():
        raise Broken(f"{name}: another file was opened")
    said = (ended.stdout + ended.stderr).strip().splitlines()[-1:]
    if ended.returncode < 0 or ended.returncode > 1:
        raise Broken(f"{name}: the process died, status {ended.returncode}")
    if not said or not said[0].startswith("refused"):
        raise Broken(f"{name}: {said[0] if said else 'nothing'}")
    return said[0]


_COUNT = len(REFUSED_CONTENT) + len(NAMED_ENDING) + 2

CAMPAIGN = Campaign(
    id="R8",
    title="Hostile models",
    promise="A model with files outside, control flow, foreign code, or weights out of nothing is refused before "
    "onnxruntime gets it; any other unsound one ends in a named error; no file outside of the bundle is opened.",
    attack=f"puts one of {_COUNT - 1} hostile things anywhere into a model, in a bundle whose digests are right, "
    f"or, one of {_COUNT} trials, changes the encoding of a graph {TRIES} times",
    unit="models",
    subjects={
        "ours": Subject(
            trial=_ours, prepare=_prepare, what="`Classifier.load`, with the full self-test"
        ),
        "control": Subject(
            trial=_careless,
            prepare=_without_content_check,
            what="`load_bundle` without the check of the content",
        ),
        "raw": Subject(
            trial=_plain,
            prepare=_prepare,
            what="onnxruntime in a process of its own, 6 GiB and 20 s",
        ),
    },
    ci={"ours": 3 * _COUNT, "control": _COUNT, "raw": 2},
    full={"ours": 10_000, "control": 2_000, "raw": 400},
    limit_s=60,
    chunk=35,
    control_share=0.4,
)
