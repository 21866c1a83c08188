"""Everything to check on a GPU, in one command of at most seven minutes (docs/devices.md).

    python tests/gpu/check.py --output runs/gpu

Trains, exports, classifies and times with the project's own commands, each in its own process with a time limit. A
failure is noted and the others go on. result.json is written after every step, so a killed check loses one step.
"""

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # the checkout need not be installed

from edge_infer.atomic import write_bytes_atomically  # noqa: E402 -- after the path
from edge_infer.contract import RESEARCH_USE_ONLY  # noqa: E402

__all__ = ["Check", "compared", "recipe_without_masks", "spoken", "timings_of"]

#: The model that ships; its INT8 form is the shipped bundle.
MODEL = "efficientnet-lite"
CHECKPOINT = ROOT / "export" / "checkpoints" / MODEL
SHIPPED = ROOT / "edge_infer" / "shipped"
#: The model that is trained: from scratch, so that it needs no weights of others.
TRAINED = "cvt-slim"
SCANS = ROOT / "export" / "kit" / "pictures" / "val"
PRECISIONS = ("fp32", "fp16")  # for a GPU
INFER, DOCTOR, DATA, TRAIN, EXPORT = (
    (sys.executable, "-P", "-m", module)
    for module in (
        "edge_infer",
        "edge_infer.doctor_cli",
        "train.commands.data",
        "train.cli",
        "export.cli",
    )
)
TOO_LITTLE_S = 3.0
PROVIDER_UNAVAILABLE, SELF_TEST_FAILED = 81, 84

FACTS = """
import importlib, json, subprocess
from benchmarks.environment import environment

facts = environment()
try:
    command = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    facts["gpu"] = subprocess.run(command, capture_output=True, text=True, timeout=20).stdout.strip()
except (OSError, subprocess.TimeoutExpired) as error:
    facts["gpu"] = f"nvidia-smi: {type(error).__name__}"
for name in ("torch", "torchvision", "transformers", "onnx", "onnxruntime"):
    try:
        module = importlib.import_module(name)
        facts["versions"][name] = module.__version__
    except Exception as error:
        facts["versions"][name] = f"does not load: {error}"
        continue
    if name == "torch":
        facts["torch_cuda"] = module.version.cuda
        facts["torch_sees_gpu"] = module.cuda.is_available()
        facts["cudnn"] = module.backends.cudnn.version()
    if name == "onnxruntime":
        facts["providers"] = module.get_available_providers()
print(json.dumps(facts))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The outcome of one command.

    Attributes:
        command: As a shell would take it, without the folders of this machine.
        seconds: From start to end.
        limit_s: Its time limit.
        outcome: ``ok``, ``failed``, ``timed out`` or ``skipped``.
        exit_status: None if it never ended.
        expected: The status that is ``ok``.
        said: The end of its stderr, if it is not ``ok``.
    """

    name: str
    command: str = ""
    seconds: float = 0.0
    limit_s: float = 0.0
    outcome: str = "skipped"
    exit_status: int | None = None
    expected: int = 0
    said: str = ""


@dataclass(slots=True, kw_only=True)
class Check:
    """Runs steps one after the other, and keeps the results on disk.

    Attributes:
        output: Gets result.json and check.log.
        work: For bundles, phantoms and runs.
        seconds: Time limit of the whole check.
        only: Names of the steps to run; all if empty.
        patience: Factor for the time limit of each step.
    """

    output: Path
    work: Path
    device: str
    seconds: float
    only: Sequence[str] = ()
    patience: float = 1.0
    found: dict[str, Any] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def run(
        self,
        name: str,
        command: Sequence[object],
        *,
        limit_s: float,
        expected: int = 0,
        environment: Mapping[str, str] | None = None,
    ) -> str | None:
        """Run one command with a time limit; return its stdout if it ended as expected, else None."""
        if self.only and name not in self.only:
            return None
        limit_s = min(limit_s * self.patience, self.seconds - (time.monotonic() - self.started))
        if limit_s < TOO_LITTLE_S:
            self.note(Step(name=name, said="no time left", expected=expected))
            return None
        printed = self.work / f"{name}.out"
        with (self.output / "check.log").open("ab") as log, printed.open("wb") as out:
            log.write(f"\n=== {name}\n".encode())
            log.flush()
            began, before = time.monotonic(), log.tell()
            # A process group of its own, so that its children end with it; a session would outlive a killed check.
            process = subprocess.Popen(
                [str(word) for word in command],
                cwd=self.work,
                env=environment or environment_of_steps(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                process_group=0,
            )
            status = _awaited(process, limit_s)
        outcome = "timed out" if status is None else "ok" if status == expected else "failed"
        said = (self.output / "check.log").read_bytes()[before:].decode(errors="replace")
        self.note(
            Step(
                name=name,
                command=self._shown(command),
                seconds=round(time.monotonic() - began, 2),
                limit_s=round(limit_s, 1),
                outcome=outcome,
                exit_status=status,
                expected=expected,
                said="" if outcome == "ok" else self._nameless(said)[-1500:],
            )
        )
        text = printed.read_text(encoding="utf-8", errors="replace")
        return text if outcome == "ok" else None

    def printed(self, name: str) -> str:
        """Return what a step printed, even if it was stopped."""
        path = self.work / f"{name}.out"
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""

    def skip(self, name: str, why: str) -> None:
        """Note that a step cannot be run."""
        if not self.only or name in self.only:
            self.note(Step(name=name, said=why))

    def note(self, step: Step) -> None:
        """Record a step and print its outcome."""
        self.steps.append(step)
        self.save()
        status = "" if step.exit_status is None else f", exit status {step.exit_status}"
        why = f": {(step.said.strip().splitlines() or [''])[-1]}" if step.said else ""
        say(
            f"[{time.monotonic() - self.started:5.0f} s] {step.name}: {step.outcome}{status}, {step.seconds} s{why}"
        )

    def save(self) -> None:
        """Write result.json as it is now."""
        result = {
            "research_use_only": RESEARCH_USE_ONLY,
            "device": self.device,
            "model": MODEL,
            "trained": TRAINED,
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - self.started, 1),
            **self.found,
            "steps": [asdict(step) for step in self.steps],
        }
        write_bytes_atomically(
            self.output / "result.json", (json.dumps(result, indent=1) + "\n").encode()
        )

    def _shown(self, command: Sequence[object]) -> str:
        words = [str(word) for word in command[:12]]
        text = shlex.join(word if "\n" not in word else "..." for word in words)
        return self._nameless(text) + (" ..." if len(command) > 12 else "")

    def _nameless(self, text: str) -> str:
        """Remove this machine's folders, since results may be published."""
        text = text.replace(str(self.work), "WORK").replace(sys.executable, "python")
        return text.replace(str(ROOT), ".").replace(str(Path.home()), "~")


def _awaited(process: "subprocess.Popen[bytes]", limit_s: float) -> int | None:
    """Return its exit status, or None if it had to be killed."""
    try:
        return process.wait(timeout=limit_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def environment_of_steps(*, libraries: bool = True, gpu: bool = True) -> dict[str, str]:
    """Return the environment of the commands.

    Args:
        libraries: Whether the linker finds the CUDA libraries that came with torch: onnxruntime-gpu has none.
        gpu: Whether the GPU is visible.
    """
    folders = _cuda_folders() if libraries else []
    # Absolute: steps run in another folder, so that they neither use nor write anything in the checkout by accident.
    given_path = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    places = [str(Path(place).resolve()) for place in given_path]
    given = os.environ.get("LD_LIBRARY_PATH")
    return {
        **os.environ,
        "ORT_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": _joined([str(ROOT), *places]),
        **({"LD_LIBRARY_PATH": _joined([*folders, given])} if folders else {}),
        **({} if gpu else {"CUDA_VISIBLE_DEVICES": "-1"}),
    }


def _cuda_folders() -> list[str]:
    return [
        str(folder)
        for place in sys.path
        for folder in sorted((Path(place) / "nvidia").glob("*/lib"))
        if any(folder.glob("*.so*"))
    ]


def _joined(folders: Sequence[str | None]) -> str:
    return os.pathsep.join(filter(None, folders))


def say(line: str) -> None:
    """Print a line of progress."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def recipe_without_masks(shipped: str) -> str:
    """Return a shipped recipe changed for images without tumour masks, such as phantoms."""
    masked = "[mask]\nweight = 0.5\n"
    if shipped.count(masked) != 1:
        raise ValueError(f"the recipe of {TRAINED} has no {masked!r}")
    return shipped.replace(masked, "[mask]\nweight = 0\n")


def compared(cpu: str, device: str) -> dict[str, Any]:
    """Compare what ``brain-infer --json`` printed about the same images on the CPU and on the device.

    Returns:
        n, how many labels differ, the largest difference of a logit and of a probability, the smallest lead of the
        first class on the CPU (differences must stay below it), and providers.

    Raises:
        ValueError: They are not about the same images, or there are none.
    """
    here, there = (
        [line for line in map(json.loads, printed.splitlines()) if line["status"] == "ok"]
        for printed in (cpu, device)
    )
    names = [line["source_sha256"] for line in here]
    if not names or names != [line["source_sha256"] for line in there]:
        raise ValueError(f"{len(here)} and {len(there)} answers, not about the same images")
    logits, moved = (_table(lines, "logits") for lines in (here, there))
    probabilities, others = (_table(lines, "probabilities") for lines in (here, there))
    leads = np.sort(logits, axis=1)
    return {
        "n": len(here),
        "labels_differ": sum(a["label"] != b["label"] for a, b in zip(here, there, strict=True)),
        "largest_logit_difference": float(np.abs(logits - moved).max()),
        "largest_probability_difference": float(np.abs(probabilities - others).max()),
        "least_lead": float((leads[:, -1] - leads[:, -2]).min()),
        "providers": sorted({line["runtime"]["provider"] for line in here + there}),
    }


def _table(lines: Sequence[Mapping[str, Any]], key: str) -> Any:
    return np.array([list(line[key].values()) for line in lines])  # in the order of the bundle


def timings_of(printed: str) -> dict[str, Any]:
    """Read what timings.py has printed so far, by batch size; a line that was cut off is left out."""
    found = {}
    for line in printed.splitlines():
        try:
            fields = json.loads(line)
        except ValueError:
            continue
        found[str(fields.pop("batch"))] = fields
    return found


def facts(check: Check) -> None:
    """Note machine, GPU, driver and versions."""
    printed = check.run("facts", [sys.executable, "-P", "-c", FACTS], limit_s=60)
    if printed:
        check.found["machine"] = json.loads(printed)
        check.save()


def export(check: Check, precision: str, limit_s: float) -> None:
    """Export the shipped checkpoint."""
    command = [*EXPORT, "--model", MODEL, f"--{precision}", "--checkpoint", CHECKPOINT]
    check.run(
        f"export-{precision}", [*command, "--output", check.work / precision], limit_s=limit_s
    )


def exported(check: Check) -> dict[str, Path]:
    """Return the bundles that were exported."""
    return {name: check.work / name for name in PRECISIONS if (check.work / name).is_dir()}


def refusals(check: Check, scan: Path) -> None:
    """Check what is refused and not answered by the CPU: a missing GPU, and INT8 on a GPU."""
    ask = [*INFER, "--device", "cuda"]
    int8 = [*ask, "--bundle", SHIPPED, scan]
    check.run("refused-int8", int8, limit_s=40, expected=PROVIDER_UNAVAILABLE)
    if "fp32" not in exported(check):
        check.skip("refused", "no bundle")
        return
    float_bundle = [*ask, "--bundle", exported(check)["fp32"], scan]
    hidden = environment_of_steps(gpu=False)
    check.run(
        "refused", float_bundle, limit_s=40, expected=PROVIDER_UNAVAILABLE, environment=hidden
    )
    if check.device == "cuda":  # as for a user who installs the extra gpu
        bare = environment_of_steps(libraries=False)
        check.run("as-installed", float_bundle, limit_s=40, environment=bare)


def choices(check: Check, scan: Path) -> None:
    """Note which provider ``auto`` takes: CUDA for float, the CPU for INT8."""
    for name, bundle in {**exported(check), "int8": SHIPPED}.items():
        ask = [*INFER, "--json", "--device", "auto", "--bundle", bundle, scan]
        if printed := check.run(f"auto-{name}", ask, limit_s=40):
            provider = json.loads(printed.splitlines()[0])["runtime"]["provider"]
            check.found.setdefault("auto", {})[name] = provider
            check.save()


def examination(check: Check) -> None:
    """Keep what ``brain-doctor`` finds: devices, libraries, the drift of all golden answers."""
    for name, bundle in exported(check).items():
        ask = [*DOCTOR, "--json", "--device", check.device, "--bundle", bundle]
        check.run(f"doctor-{name}", ask, limit_s=60)
        if printed := check.printed(f"doctor-{name}"):
            check.found.setdefault("doctor", {})[name] = json.loads(printed)["checks"]
            check.save()


def answers(check: Check, precision: str, bundle: Path, scans: Sequence[Path]) -> None:
    """Let ``brain-infer`` answer on the CPU and on the device, and compare."""
    ask: list[object] = [*INFER, "--json", "--bundle", bundle]
    cpu = check.run(f"answers-{precision}-cpu", [*ask, *scans], limit_s=60)
    name = f"answers-{precision}"
    ask += ["--device", check.device]
    device = check.run(name, [*ask, *scans], limit_s=60)
    passed = device is not None
    if device is None and check.steps and check.steps[-1].exit_status == SELF_TEST_FAILED:
        # A finding; all differences say more than the first one.
        device = check.run(f"{name}-untested", [*ask, "--self-test", "off", *scans], limit_s=60)
    if cpu is None or device is None:
        return
    found: dict[str, Any] = {"self_test_passed": passed}
    try:
        found.update(compared(cpu, device))
    except (ValueError, KeyError) as error:
        found["failure"] = str(error)
    check.found.setdefault("answers", {})[precision] = found
    check.save()


def timings(check: Check, batches: Sequence[int], rounds: int) -> None:
    """Time batches on PyTorch and the bundles, in turn."""
    limit_s = 90.0
    command: list[object] = [sys.executable, "-P", Path(__file__).with_name("timings.py")]
    command += ["--device", check.device, "--checkpoint", CHECKPOINT, "--rounds", rounds]
    command += ["--seconds", limit_s * check.patience - 25]  # for loading
    forms = {**exported(check), "int8": SHIPPED}
    for name, bundle in forms.items():
        command += ["--bundle", f"{name}={bundle}"]
    if check.device != "cpu":  # does the GPU pay at all
        for name in {"fp32", "int8"} & set(forms):
            command += ["--bundle", f"{name}@cpu={forms[name]}"]
    for batch in batches:
        command += ["--batch", batch]
    check.run("timings", command, limit_s=limit_s)
    if printed := check.printed("timings"):
        check.found["timings"] = timings_of(printed)
        check.save()


def training(check: Check, per_class: int) -> None:
    """Draw phantoms, train two epochs on them, and export the result."""
    data, run = check.work / "phantoms", check.work / "run"
    recipe = check.work / "phantoms.toml"
    shipped = ROOT / "train" / "recipes" / f"{TRAINED}-cpu.toml"
    recipe.write_text(recipe_without_masks(shipped.read_text(encoding="utf-8")), encoding="utf-8")
    check.run("phantoms", [*DATA, "phantoms", data, "--per-class", per_class], limit_s=40)
    if not data.is_dir():
        check.skip("train", "no phantoms")
        return
    command: list[object] = [
        *TRAIN,
        "--model",
        TRAINED,
        "--data",
        data,
        "--manifest",
        data / "manifest.csv",
    ]
    command += ["--recipe", recipe, "--epochs", 2, "--report-to", "none", "--output", run]
    check.run("train", command, limit_s=150)
    if not (run / "checkpoint").is_dir():
        check.skip("export-trained", "no checkpoint")
        return
    command = [*EXPORT, "--model", TRAINED, "--fp32", "--checkpoint", run / "checkpoint"]
    check.run("export-trained", [*command, "--output", check.work / "trained"], limit_s=60)
    trained = json.loads((run / "checkpoint" / "training.json").read_text(encoding="utf-8"))
    check.found["training"] = {"phantoms_per_class": per_class, **_plain(trained)}
    check.save()


def _plain(training_json: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in training_json.items()
        if key in ("history", "best_val_accuracy")
    }


def main() -> None:
    """Run the steps; exit status 1 if one did not end as expected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="gets result.json, check.log")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--seconds", type=float, default=420, help="for everything")
    parser.add_argument("--patience", type=float, default=1, help="times the limit of each step")
    parser.add_argument("--only", action="append", default=[], help="a step; may be repeated")
    parser.add_argument("--images", type=int, default=0, help="of the kit; default: all")
    parser.add_argument("--per-class", type=int, default=100, help="phantoms")
    parser.add_argument("--batch", type=int, action="append", default=[], help="default: 1 8 64")
    parser.add_argument("--rounds", type=int, default=30, help="of the timings, at most")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)  # so that the step that runs is ended too
    given.output.mkdir(parents=True, exist_ok=True)
    scans = sorted(SCANS.rglob("*.jpg"))
    if given.images:
        scans = scans[:: max(1, len(scans) // given.images)][: given.images]
    with tempfile.TemporaryDirectory() as folder:
        check = Check(
            output=given.output.resolve(),
            work=Path(folder),
            device=given.device,
            seconds=given.seconds,
            only=given.only,
            patience=given.patience,
        )
        facts(check)
        for precision in PRECISIONS:
            export(check, precision, 60)
        refusals(check, scans[0])
        examination(check)
        for precision in PRECISIONS:
            if bundle := exported(check).get(precision):
                answers(check, precision, bundle, scans)
            else:
                check.skip(f"answers-{precision}", "no bundle")
        choices(check, scans[0])
        timings(check, given.batch or [1, 8, 64], given.rounds)
        training(check, given.per_class)
        sys.stdout.write(spoken(check.found, check.steps))
        wrong = [step.name for step in check.steps if step.outcome != "ok"]
    raise SystemExit(1 if wrong else 0)


def spoken(found: Mapping[str, Any], steps: Sequence[Step]) -> str:
    """Return what was found, in a few lines."""
    machine = found.get("machine", {})
    lines = [f"{machine.get('gpu') or 'no GPU'}; {machine.get('versions', {})}", ""]
    for precision, row in found.get("answers", {}).items():
        lines.append(f"{precision}: {_differences(row)}")
    for precision, provider in found.get("auto", {}).items():
        lines.append(f"auto took {provider} for {precision}")
    for batch, row in found.get("timings", {}).items():
        lines.append(f"batch {batch}, median ms, {row['rounds']} rounds in turn:")
        for engine, figure in row["engines"].items():
            shown = figure.get("failure") or (
                f"{figure['p50_ms']:.3f} ({figure['p50_low_ms']:.3f}..{figure['p50_high_ms']:.3f}), n {figure['n']}"
            )
            lines.append(f"  {engine:12} {shown}")
    wrong = [f"{step.name} ({step.outcome})" for step in steps if step.outcome != "ok"]
    lines += ["", f"not as expected: {', '.join(wrong) or 'nothing'}", RESEARCH_USE_ONLY]
    return "\n".join(lines) + "\n"


def _differences(row: Mapping[str, Any]) -> str:
    if "failure" in row:
        return str(row["failure"])
    return (
        f"{row['labels_differ']} of {row['n']} labels differ, logits by at most "
        f"{row['largest_logit_difference']:.1e}, self-test {'passed' if row['self_test_passed'] else 'FAILED'}, "
        f"on {', '.join(row['providers'])}"
    )


def _stop(*_: object) -> NoReturn:
    raise SystemExit(143)


if __name__ == "__main__":
    main()
