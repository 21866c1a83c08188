"""Damaged images as files and as images that Pillow has opened: each must be answered or refused by name, soon.

    python tests/campaigns/image_fuzz.py --n 100000

The files are those of campaign R1; this script also reads every other one as an image that Pillow has opened. File i is
always the same, so ``--start`` resumes a run, and ``--start I --n 1 --keep FOLDER`` writes one that failed. Ctrl-C or
SIGTERM ends with the counts so far. Exit status 1 if an exception had no name (``BrainError``), a process died, or a
file took longer than ``--limit`` seconds.
"""

import argparse
import io
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from PIL import Image
from reliability.inputs.image_seeds import damaged_image

SLICE = 2000


def worker(start: int, count: int) -> dict[str, object]:
    """Read files start..start+count, half of them as Pillow images too; return the outcomes."""
    from edge_infer.errors import BrainError
    from edge_infer.image_file import open_source

    outcomes: Counter[str] = Counter()
    unmapped: list[str] = []
    slowest = (0.0, -1)

    def read(source: bytes | Image.Image, kind: str, index: int) -> None:
        try:
            open_source(source)
            outcomes[f"{kind}: answered"] += 1
        except BrainError as error:
            outcomes[f"{kind}: {error.exit_code} {error.code}"] += 1
        except Exception as error:
            unmapped.append(f"{index} {kind} {type(error).__name__}: {error}")

    for index in range(start, start + count):
        _, data = damaged_image(index)
        began = time.perf_counter()
        read(data, "file", index)
        slowest = max(slowest, (time.perf_counter() - began, index))
        image = opened(data) if index % 2 else None
        if image is not None:
            read(image, "image", index)
    status = Path("/proc/self/status").read_text()
    peak_mib = int(status.split("VmHWM:")[1].split()[0]) // 1024
    return {"outcomes": outcomes, "unmapped": unmapped, "slowest": slowest, "peak_mib": peak_mib}


def opened(data: bytes) -> Image.Image | None:
    try:
        return Image.open(io.BytesIO(data))
    except Exception:  # nobody can pass an image that Pillow does not open
        return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--limit", type=float, default=5.0, help="seconds a file may take")
    parser.add_argument("--keep", type=Path, help="write the damaged files there and read nothing")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(worker(options.start, options.n)))
        return 0
    if options.keep:
        for index in range(options.start, options.start + options.n):
            name, data = damaged_image(index)
            (options.keep / f"{index}-{name}").write_bytes(data)
        return 0
    return campaign(options)


def campaign(options: argparse.Namespace) -> int:
    outcomes: Counter[str] = Counter()
    unmapped: list[str] = []
    slowest, peak_mib, done, deaths = (0.0, -1), 0, 0, []
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs ignore the first
        signal.signal(number, signal.default_int_handler)
    try:
        for start in range(options.start, options.start + options.n, SLICE):
            count = min(SLICE, options.start + options.n - start)
            command = [sys.executable, "-W", "ignore", __file__, "--worker"]
            command += ["--start", str(start), "--n", str(count)]
            result = subprocess.run(command, stdout=subprocess.PIPE, text=True)
            if result.returncode:
                deaths.append(f"{start}..{start + count}: status {result.returncode}")
                continue
            found = json.loads(result.stdout.splitlines()[-1])
            outcomes.update(found["outcomes"])
            unmapped += found["unmapped"]
            slowest = max(slowest, tuple(found["slowest"]))
            peak_mib = max(peak_mib, found["peak_mib"])
            done += count
            print(f"{done:,} files, {len(unmapped)} unmapped", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    for outcome, count in sorted(outcomes.items()):
        print(f"{outcome:32} {count:8,}")
    print(f"n {done:,} from {options.start:,}; unmapped exceptions {len(unmapped)}")
    print(f"slowest file {slowest[1]}: {slowest[0]:.2f} s; peak {peak_mib} MiB; died {len(deaths)}")
    print(*unmapped[:20], *deaths, sep="\n")
    return int(bool(unmapped or deaths) or slowest[0] > options.limit)


if __name__ == "__main__":
    sys.exit(main())
