"""R19: canaries of patient data, on every path through the project."""

import contextlib
import io
import json
import logging
import os
import pickle
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from node_runs import Node
from PIL import Image
from pynetdicom import AE, _config
from reliability.campaign import Broken, Campaign, Seen, Subject
from reliability.runtime.carriers import CARRIERS, Files
from reliability.runtime.marks import Marks, found_in, without_copied
from service_runs import Service
from stdio_worker import HostedWorker
from tiny_bundle import files_with_scope, manifest_body, tiny_series, tiny_trust

from edge_infer.bundle import write_bundle
from edge_infer.classifier import Classifier
from edge_infer.errors import BrainError

__all__ = ["CAMPAIGN"]

#: A process that ends with the one that started it, however that ends (Linux).
_WITH_PARENT = (
    "import ctypes; ctypes.CDLL(None).prctl(1, 9); from edge_infer.{0} import main; main()"
)

#: How a carrier goes through the project; one after the other, those that cost a second seldom.
_PATHS = (
    *("json", "python", "service", "text", "task", "host", "csv", "python", "json", "service"),
    *("python", "host", "csv", "service", "text", "json", "python", "task", "service", "node"),
)

#: What is told, by where; bytes of a DICOM file under a name that ends with .dcm.
_Told = dict[str, bytes]


@dataclass
class _Arena:
    """A bundle, and whoever runs all the time, started when first asked."""

    folder: Path
    classifier: Classifier
    started: dict[str, Any] = field(default_factory=dict)
    read: dict[Path, int] = field(default_factory=dict)

    @property
    def bundle(self) -> Path:
        return self.folder / "bundle"

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def new_of(self, path: Path) -> bytes:
        """What was added to a file since it was last asked for."""
        if not path.exists():
            return b""
        data = path.read_bytes()
        before = self.read.get(path, 0)
        self.read[path] = len(data)
        return data[before:]


def _arena(folder: Path) -> _Arena:
    body = manifest_body(trust=tiny_trust(), series=tiny_series())
    write_bundle(folder / "bundle", files_with_scope(), body)
    logging.getLogger().setLevel(logging.DEBUG)  # a host that wants to hear everything
    return _Arena(folder, Classifier.load(folder / "bundle", num_threads=1))


def _talkative(folder: Path) -> _Arena:
    """The defence taken out: pydicom says what it likes."""
    from edge_infer.dicom import quiet

    arena = _arena(folder)
    quiet._LOGGERS, quiet._MODULES = (), "nothing"  # type: ignore[assignment]
    return arena


def _ours(arena: _Arena, number: int, folder: Path) -> Seen:
    names = list(CARRIERS)
    name = names[number % len(names)]
    path = _PATHS[(number * 7 + number // len(names)) % len(_PATHS)]
    if path == "node" and not name.startswith("DICOM"):
        path = "service"
    return _sent(arena, number, folder, name, path)


def _control(arena: _Arena, number: int, folder: Path) -> Seen:
    return _sent(arena, number, folder, "DICOM, attribute in use", ("json", "python")[number % 2])


def _sent(arena: _Arena, number: int, folder: Path, name: str, path: str) -> Seen:
    marks = Marks(number)
    files = CARRIERS[name](marks, np.random.default_rng([19, number]))
    (folder / "in").mkdir()
    for file, data in files.items():
        (folder / "in" / file).write_bytes(data)
    told = _WAYS[path](arena, files, folder)
    if not any(told.values()):
        raise Broken(f"{name}, {path}: nothing was said at all")
    for place, file in (("out", one) for one in (folder / "out").rglob("*") if one.is_file()):
        told[f"{place}/{file.name}"] = file.read_bytes()
        told["names"] = told.get("names", b"") + str(file.relative_to(folder)).encode()
    _search(told, marks, f"{name}, {path}")
    return Seen(kind=f"{path}, {_outcome(told)}", tries=len(files))


def _outcome(told: _Told) -> str:
    """Say whether at least one image was answered: lines, tables, texts and results then hold one of these."""
    answers = (
        b'"status": "ok"',
        b",ok,",
        b"Prediction(",
        b"%)",
        b"tumour evidence",
        b"TUMOUR_SCORE",
    )
    is_answered = any(word in data for data in told.values() for word in answers)
    return "answered" if is_answered else "refused"


def _search(told: _Told, marks: Marks, where: str) -> None:
    needles = marks.needles
    for place, data in told.items():
        searched = without_copied(data) if data[128:132] == b"DICM" else data
        form = found_in(searched, needles)
        if form is not None:
            raise Broken(f"{where}: a canary in {place} ({form})")


@contextlib.contextmanager
def _heard(folder: Path, told: _Told) -> Iterator[None]:
    """Keep whatever is written to descriptors 1 and 2, logged at any level, or warned of."""
    (folder / "out").mkdir(exist_ok=True)
    logged = io.StringIO()
    handler = logging.StreamHandler(logged)
    logging.getLogger().addHandler(handler)
    kept = os.dup(1), os.dup(2)
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        _flush()
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                yield
        finally:
            _flush()
            for number, descriptor in enumerate(kept, start=1):
                os.dup2(descriptor, number)
                os.close(descriptor)
            logging.getLogger().removeHandler(handler)
    told["standard output"] = (folder / "stdout").read_bytes()
    told["standard error"] = (folder / "stderr").read_bytes()
    told["log"] = logged.getvalue().encode()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def _command(form: str) -> Callable[[_Arena, Files, Path], _Told]:
    def run(arena: _Arena, files: Files, folder: Path) -> _Told:
        from edge_infer.cli import main

        told: _Told = {}
        out = folder / "out"
        words = ["--debug", "--bundle", str(arena.bundle), "--threads", "1", "--self-test", "off"]
        words += [
            "--audit",
            str(folder / "audit.jsonl"),
            "--heatmap",
            str(out / "maps"),
            *([form] if form else []),
        ]
        if any(name.endswith((".dcm", ".zip")) for name in files):
            words += ["--dicom-out", str(out / "results")]
        with _heard(folder, told):
            _ended(main, [*words, str(folder / "in")])
        told["audit log"] = _bytes_of(folder / "audit.jsonl")
        return told

    return run


def _ended(main: Callable[[list[str]], object], words: list[str]) -> None:
    try:
        main(words)
    except SystemExit as ending:
        if ending.code == 1:
            raise Broken("a bug: exit status 1") from None


def _bytes_of(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _task(arena: _Arena, files: Files, folder: Path) -> _Told:
    del files
    from edge_infer.node_cli import main

    settings = {"process": {"settings": {"bundle": str(arena.bundle), "threads": 1}}}
    (folder / "in" / "task.json").write_text(json.dumps(settings))
    told: _Told = {}
    words = ["task", "--input", str(folder / "in"), "--output", str(folder / "out")]
    with _heard(folder, told):
        _ended(main, [*words, "--audit", str(folder / "audit.jsonl")])
    told["audit log"] = _bytes_of(folder / "audit.jsonl")
    return told


def _python(arena: _Arena, files: Files, folder: Path) -> _Told:
    """Everything that a program may print, log, keep or send on of what it gets."""
    from edge_infer.series.classify import classify_series
    from edge_infer.series.study import open_study
    from edge_infer.study_run import run_study

    told: _Told = {}
    said: list[bytes] = []

    def say(*things: object) -> None:
        said.extend(f"{one!r} {one}".encode(errors="surrogateescape") for one in things)

    def failed(error: BrainError) -> None:
        say(error, error.hint)
        said.append("".join(traceback.format_exception(error)).encode(errors="surrogateescape"))

    with _heard(folder, told):
        paths = [folder / "in" / name for name in files]
        sources = [*paths, *files.values(), *map(io.BytesIO, files.values())]
        for outcome in arena.classifier.predict_each(sources):
            if outcome.error is not None:
                failed(outcome.error)
            if outcome.prediction is not None:
                say(outcome.prediction, *outcome.prediction.warnings)
                said += [
                    pickle.dumps(outcome.prediction),
                    outcome.prediction._repr_html_().encode(),
                ]
        try:
            study = open_study(folder / "in")
            say(study, *study.series, study.left_out)
            for refused in study.refused:
                failed(refused.error)
            for series in study.series:
                result = classify_series(arena.classifier, series)
                say(result, *result.warnings, *result.slices)
            for result in run_study(arena.classifier, folder / "in", dicom_out=folder / "out"):
                say(result)
        except BrainError as error:
            failed(error)
    told["texts"] = b"\n".join(said)
    return told


def _service(arena: _Arena, files: Files, folder: Path) -> _Told:
    (folder / "out").mkdir()
    log, audit = arena.log("service"), arena.log("service-audit")
    if "service" not in arena.started:
        arena.started["service"] = Service(
            *("--bundle", arena.bundle, "--workers", 1, "--access-log", "--audit", audit),
            program=("-c", _WITH_PARENT.format("serve_cli")),
            log=log,
        )
    service: Service = arena.started["service"]
    told: _Told = {}
    marks = next(iter(files.values()))[-8:].hex()  # a query of its own, never repeated in an answer
    for number, (name, data) in enumerate(files.items()):
        header = name.rpartition(".")[2]
        answer = service.classify(
            data,
            query="?view=1",
            user_agent=f"JANE-{marks}",
            content_disposition=f"attachment; filename=JANE.{header}",
        )
        if answer.status == 500:
            raise Broken("a bug: status 500")
        told[f"answer {number}"] = answer.body + repr(answer.headers).encode()
    told["metrics"] = service.ask("GET", "/metrics").body
    told["service log"] = arena.new_of(log)
    told["audit log"] = arena.new_of(audit)
    if b"JANE" in b"".join(told.values()):
        raise Broken("a header of the request was repeated")
    return told


def _host(arena: _Arena, files: Files, folder: Path) -> _Told:
    (folder / "out").mkdir()
    audit = arena.log("host-audit")
    if "host" not in arena.started:
        program = ("-c", _WITH_PARENT.format("cli"))
        worker = HostedWorker("--bundle", arena.bundle, "--audit", audit, program=program)
        worker.event()
        arena.started["host"] = worker
    worker = arena.started["host"]
    told: _Told = {}
    for number, data in enumerate(files.values()):
        worker.send({"id": number, "method": "classify", "view": True}, data)
        told[f"answer {number}"] = json.dumps(worker.until(number)).encode()
    worker.send({"id": "folder", "method": "classify", "path": str(folder / "in"), "view": True})
    told["answers"] = json.dumps(worker.until("folder")).encode()
    told["audit log"] = arena.new_of(audit)
    return told


class _RealNode(Node):
    """A node that ends with this process and answers into a folder."""

    def start(self) -> None:
        words = ["run", "--config", str(self.config)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _WITH_PARENT.format("node_cli"), *words],
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        _until(self._listens)


def _node(arena: _Arena, files: Files, folder: Path) -> _Told:
    del files  # sent from the folder
    (folder / "out").mkdir()
    audit = arena.folder / "node-audit.log"
    if "node" not in arena.started:
        place, results = arena.folder / "node", arena.folder / "results"
        for made in (place, results):
            made.mkdir()
        node = _RealNode(
            place,
            answerer="real",
            destination={"folder": str(results)},
            complete={"quiet_s": 0.3, "after_abort_s": 0.5},
            model={"threads": 1, "bundle": str(arena.bundle)},
            audit={"file": str(audit)},
        )
        node.start()
        arena.started["node"] = node
    node = arena.started["node"]
    before = {stage: len(node.rounds(stage)) for stage in ("sent", "failed")}
    statuses = _send_raw(node, folder / "in")
    if 0 in statuses:  # it took at least one, so a study will be answered or given up
        _until(lambda: any(len(node.rounds(stage)) > count for stage, count in before.items()))
    told: _Told = {"node log": arena.new_of(node.log), "audit log": arena.new_of(audit)}
    told["status"] = (
        json.dumps(node.status()).encode() if (node.spool / "status.json").exists() else b""
    )
    names = [path.relative_to(node.folder) for path in node.spool.rglob("*")]
    told["names in the spool"] = "\n".join(map(str, names)).encode()
    for number, note in enumerate(node.spool.rglob("note.json")):
        told[f"note {number}"] = note.read_bytes()
    results = arena.folder / "results"
    for number, result in enumerate(sorted(one for one in results.rglob("*") if one.is_file())):
        told[f"result {number}, {result.suffix}"] = result.read_bytes()
        result.unlink()
    return told


def _send_raw(node: Node, folder: Path) -> list[int]:
    """Send files as they are, without reading them."""
    _config.STORE_SEND_CHUNKED_DATASET = True
    entity: Any = AE(ae_title="MODALITY")
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 20
    for uid in ("1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1"):
        entity.add_requested_context(uid, "1.2.840.10008.1.2.1")
    association = entity.associate("127.0.0.1", node.port, ae_title="BRAIN")
    statuses = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in sorted(folder.iterdir()):
            try:
                statuses.append(association.send_c_store(path).get("Status", -1))
            except Exception:
                statuses.append(-1)
        association.release() if association.is_established else None
    return statuses


def _until(condition: Callable[[], Any], *, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Broken("a node did not do its part in time")
        time.sleep(0.05)


_WAYS: dict[str, Callable[[_Arena, Files, Path], _Told]] = {
    "text": _command(""),
    "json": _command("--json"),
    "csv": _command("--csv"),
    "python": _python,
    "task": _task,
    "service": _service,
    "host": _host,
    "node": _node,
}


def _plain(folder: Path) -> None:
    del folder
    logging.getLogger().setLevel(logging.INFO)
    logging.captureWarnings(True)


def _raw(prepared: None, number: int, folder: Path) -> Seen:
    """Read the same files, and log what fails and what is warned of, as a program does."""
    del prepared
    names = list(CARRIERS)
    name = names[number % len(names)]
    marks = Marks(number)
    files = CARRIERS[name](marks, np.random.default_rng([19, number]))
    logger = logging.getLogger("program")
    told: _Told = {}
    with _heard(folder, told):
        for file, data in files.items():
            try:
                if file.endswith(".dcm"):
                    dataset = pydicom.dcmread(io.BytesIO(data))
                    pixels = dataset.pixel_array
                    logger.info(
                        "%s: series %s, %s", file, dataset.get("SeriesInstanceUID"), pixels.shape
                    )
                else:
                    with Image.open(io.BytesIO(data)) as image:
                        logger.info("%s: %s", file, image.convert("L").size)
            except Exception:
                logger.exception("%s cannot be read", file)
    _search(told, marks, f"{name}, a logger")
    return Seen(kind="logged", tries=len(files))


def _missing() -> str | None:
    return None if sys.platform == "linux" and hasattr(signal, "SIGKILL") else "needs Linux"


CAMPAIGN = Campaign(
    id="R19",
    title="Patient data",
    promise=(
        "No name, number, date or text of a header is in any answer, message, log, metric, drawing, file or file name; "
        "in DICOM results only where the standard wants it."
    ),
    attack=(
        "plants canaries of its own into 220 attributes (private, nested, unknown; four character sets), into EXIF, "
        "XMP, comments, text chunks and headers of a file, whole or damaged, sends it through a command, the API, the "
        "service, a host program, a task or a node, and searches every byte that comes out, also as UTF-16, base64 and "
        "packed"
    ),
    unit="files",
    subjects={
        "ours": Subject(
            trial=_ours,
            prepare=_arena,
            what="all paths; --debug, logging at DEBUG, the audit log",
        ),
        "control": Subject(
            trial=_control,
            prepare=_talkative,
            what="the same where pydicom's own log and warnings are left on",
        ),
        "raw": Subject(
            trial=_raw, prepare=_plain, what="pydicom and Pillow, warnings and errors logged"
        ),
    },
    ci={"ours": 6, "control": 2, "raw": 0},
    full={"ours": 3300, "control": 100, "raw": 1100},
    limit_s=200,
    prepare_s=200,
    chunk=44,
    control_share=0.05,
    missing=_missing,
)
