"""R18: every command without a network, a home, or a folder to write to but its output."""

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
from dicom_files import drawn_volume, file_bytes, mr_series
from reliability.campaign import Broken, Campaign, Seen, Subject
from reliability.runtime.sealed_program import BOX, IN, JOBS, OUT
from reliability.runtime.threads import kit_images

__all__ = ["CAMPAIGN"]

_PROGRAM = Path(__file__).with_name("sealed_program.py")
_CONTROLS = ("infer, unguarded", "onnxruntime")
_OURS = [job for job in JOBS if job not in _CONTROLS]

#: Where these may listen.
_LISTENERS = {"service, loopback": "8765", "node": "11112"}

_SANDBOX = [
    *("bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"),
    *("--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", BOX),
]


def _missing() -> str | None:
    for tool in ("bwrap", "strace"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    probe = [*_SANDBOX, "strace", "-qq", "-o", "/dev/null", "/bin/true"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        return "sandboxes, or strace in them, are not allowed here"
    return None


def _inputs(folder: Path) -> Path:
    """Write images, one of them damaged, a series, a volume and an archive."""
    made = folder / "in"
    for name in ("images", "series", "without"):
        (made / name).mkdir(parents=True)
    # As in an install of the package: where there is requests, pydicom imports it, and its urllib3 opens a socket to
    # see whether this machine has IPv6.
    (made / "without" / "requests.py").write_text("raise ImportError('not installed')\n")
    for number, path in enumerate(kit_images(3)):
        data = path.read_bytes()
        (made / "images" / f"{number}.jpg").write_bytes(data[:900] if number == 2 else data)
    volume = drawn_volume(slices=5, rows=96, columns=88)
    for number, dataset in enumerate(mr_series(volume)):
        (made / "series" / f"{number}.dcm").write_bytes(file_bytes(dataset))
    with zipfile.ZipFile(made / "study.zip", "w") as archive:
        for path in sorted((made / "series").iterdir()):
            archive.write(path, path.name)
    affine = np.diag([-1.0, -1.0, 4.0, 1.0])
    nib.save(
        nib.Nifti1Image(volume.transpose(2, 1, 0).astype(np.int16), affine), made / "volume.nii.gz"
    )
    return made


def _trial(jobs: list[str]) -> Callable[[Path, int, Path], Seen]:
    def run(inputs: Path, number: int, folder: Path) -> Seen:
        job = jobs[number % len(jobs)]
        for name in ("out", "trace"):
            (folder / name).mkdir()
        places = [
            *("--ro-bind", str(inputs), IN, "--bind", str(folder / "out"), OUT),
            *("--bind", str(folder / "trace"), f"{BOX}/trace", "--remount-ro", BOX),
            *("--setenv", "PATH", "/usr/bin:/bin", "--setenv", "PYTHONDONTWRITEBYTECODE", "1"),
            *("--setenv", "PYTHONPATH", f"{IN}/without"),
            *("--chdir", "/"),
        ]
        command = [*_SANDBOX, *places, sys.executable, str(_PROGRAM), job, f"{BOX}/trace/trace"]
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        if finished.returncode:
            raise Broken(f"{job}: {finished.stderr.strip().splitlines()[-1][:250]}")
        lines = [
            line
            for trace in sorted((folder / "trace").iterdir())
            for line in trace.read_text(errors="replace").splitlines()
        ]
        if not any("O_RDONLY" in line for line in lines):
            raise Broken(f"{job}: strace saw nothing")
        found = [*_sockets(lines, _LISTENERS.get(job)), *_strays(lines)]
        if found:
            raise Broken(f"{job}: {len(found)} strays, such as {found[0][:200]}")
        return Seen(
            kind="sealed" if job not in _LISTENERS else "sealed, but for the listener asked for"
        )

    return run


def _sockets(lines: list[str], port: str | None) -> Iterator[str]:
    """Yield calls that reach for a network; a listener that was asked for may be made and bound to loopback."""
    for line in lines:
        if "AF_INET" not in line and "AF_NETLINK" not in line and "AF_PACKET" not in line:
            continue
        is_listener = port is not None and (
            re.search(r" socket\(AF_INET, ", line)
            or re.search(rf' bind\(.*htons\({port}\), sin_addr=inet_addr\("127\.0\.0\.1"\)', line)
        )
        if not is_listener:
            yield line
    listening = re.compile(r" listen\(\d+<([^>]*)>")
    if (
        len(
            {
                found.group(1)
                for line in lines
                if "UNIX" not in line and (found := listening.search(line))
            }
        )
        > 1
    ):
        yield "more than one listener"


_PATH = re.compile(r'"((?:[^"\\]|\\.)*)"')
_WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC")
_CHANGES = re.compile(
    r"^\d+\s+(creat|mkdir(at)?|rename(at2?)?|link(at)?|symlink(at)?|mknod(at)?|unlink(at)?|rmdir|truncate|chmod|"
    r"fchmodat|utimensat)\("
)


def _strays(lines: list[str]) -> Iterator[str]:
    """Yield calls that would change anything outside of the output, whether they succeed or not."""
    for line in lines:
        opens = re.match(r"^\d+\s+open(at)?\(", line) and _WRITES.search(line)
        if not (opens or _CHANGES.match(line)):
            continue
        folder = re.search(r"\((?:AT_FDCWD|\d+)<([^>]*)>", line)
        for path in _PATH.findall(line.partition(" = ")[0]) or [""]:
            whole = path if path.startswith("/") else f"{folder.group(1) if folder else ''}/{path}"
            if (
                not whole.startswith(
                    (OUT + "/", "/dev/null", "/dev/tty", "/proc/self/oom_score_adj")
                )
                and whole != OUT
            ):
                yield line


CAMPAIGN = Campaign(
    id="R18",
    title="Sealed run",
    promise="No command reaches for a network or changes a file outside of its output; listeners are those asked for.",
    attack=(
        "runs every command in an empty network namespace, without a home, with a disk that is read-only but for its "
        "output, and reads from strace each socket and each file it would open to write"
    ),
    unit="runs",
    subjects={
        "ours": Subject(
            trial=_trial(_OURS),
            prepare=_inputs,
            what="brain-infer, -doctor, -serve and -node; no requests installed",
        ),
        "control": Subject(
            trial=_trial(["infer, unguarded"]),
            prepare=_inputs,
            what="`brain-infer` where onnxruntime was imported without `ORT_DISABLE_TELEMETRY`",
        ),
        "raw": Subject(trial=_trial(["onnxruntime"]), prepare=_inputs, what="`import onnxruntime`"),
    },
    ci={"ours": 1, "control": 1, "raw": 0},
    full={"ours": 5 * len(_OURS), "control": 5, "raw": 5},
    limit_s=400,
    chunk=4,
    missing=_missing,
    control_share=1.0,
)
