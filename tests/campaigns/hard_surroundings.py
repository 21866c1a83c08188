"""Run every command in a bad environment: forbidden folders, full disks, closed streams, odd names.

    python tests/campaigns/hard_surroundings.py                     # this checkout
    python tests/campaigns/hard_surroundings.py --checkout OTHER    # another one, such as one from before a change
    python tests/campaigns/hard_surroundings.py --only stdout --n 5 --training

Prints command, exit status and the last line of stderr of each case, and counts exits with 1 and tracebacks, which are
bugs. If run as root, the commands give up root's right to ignore permissions, with setpriv of util-linux.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ORDINARY = [
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
]
LONG = "a" * 300

#: Group, command in a shell. $I, $D, $T, $E, $X are the commands of the project, $S a scan.
CASES = [
    ("forbidden", "$I d/priv/x.png"),
    ("forbidden", "$I --json $S d/priv/x.png"),
    ("forbidden", "$I --heatmap d/priv/h.png $S"),
    ("forbidden", "$I --heatmap d/priv/h $S $S"),
    ("forbidden", "$I --bundle d/priv/b $S"),
    ("forbidden", "$I d/priv"),
    ("forbidden", "$I mixed"),
    ("forbidden", "$I $S mode000.png"),
    ("forbidden", "cd d/open; $I x.png"),
    ("forbidden", "PYTHONPATH=$PYTHONPATH:d/priv/lib $I $S"),
    ("forbidden", "PYTHONPATH=$PYTHONPATH:d/priv/lib $X"),
    ("forbidden", "$D audit d/priv/ds"),
    ("forbidden", "$D audit d/priv"),
    ("forbidden", "$D audit ph --json d/priv/o.json"),
    ("forbidden", "$D audit ph --csv d/priv/o.csv"),
    ("forbidden", "$D audit ph --cache d/priv/cache"),
    ("forbidden", "$D split ph --output d/priv/m.csv"),
    ("forbidden", "$D audit ph --manifest d/priv/m.csv"),
    ("forbidden", "$D show ph --output d/priv/shown"),
    ("forbidden", "$D phantoms d/priv/new --per-class 3 --size 32"),
    ("forbidden", "$D audit fph"),
    ("long", f"$I {LONG}.png"),
    ("long", f"$I --json $S {LONG}.png"),
    ("long", f"$I --heatmap {LONG}.png $S"),
    ("long", f"$I --bundle {LONG} $S"),
    ("long", f"$D audit {LONG}"),
    ("long", f"$D audit ph --json {LONG}.json"),
    ("long", f"$D audit ph --manifest {LONG}"),
    ("long", f"$D audit ph --cache {LONG}"),
    ("long", f"$D phantoms {LONG}"),
    ("long", f"$D split ph --output {LONG}"),
    ("long", f"$D show ph --output {LONG}"),
    ("long", f"$T --model resnet18 --data {LONG} --report-to none"),
    ("long", f"$T --model resnet18 --data ph --recipe {LONG} --report-to none"),
    ("long", f"$T --model resnet18 --data ph --manifest ph/manifest.csv --output {LONG} --report-to none"),
    ("long", f"$T --model resnet18 --data ph --manifest ph/manifest.csv --weights {LONG} --output r1 --report-to none"),
    ("long", f"$T evaluate {LONG} --data ph --output e1"),
    ("long", f"$T report {LONG} --output e2"),
    ("long", f"$E --model cvt13 --checkpoint {LONG}"),
    ("long", f"$E --model resnet18 --output {LONG}"),
    ("loop", "$I loop.png"),
    ("loop", "$I loop.png $S --heatmap maps"),
    ("loop", "$I --heatmap loop.png $S"),
    ("loop", "$D audit ph --json loop.png"),
    ("loop", "$D audit loop.png"),
    ("loop", "$D phantoms loop.png"),
    ("loop", "$D phantoms ph --per-class 3"),
    ("loop", "$E --model resnet18 --checkpoint ph --output ph"),
    ("stdout", "$I $S > /dev/full"),
    ("stdout", "$I --json $S > /dev/full"),
    ("stdout", "$I --csv $S > /dev/full"),
    ("stdout", "$I --json $S $S $S > /dev/full"),
    ("stdout", "$I --help > /dev/full"),
    ("stdout", "$I --version > /dev/full"),
    ("stdout", "$X > /dev/full"),
    ("stdout", "$X --json > /dev/full"),
    ("stdout", "$D show ph --output shown > /dev/full"),
    ("stdout", "$D audit ph > /dev/full"),
    ("stdout", "$D --help > /dev/full"),
    ("stdout", "$D audit --help > /dev/full"),
    ("stdout", "$T --help > /dev/full"),
    ("stdout", "$E --help > /dev/full"),
    ("stdout", "$I $S >&-"),
    ("stdout", "$I --json $S >&-"),
    ("stdout", "$X >&-"),
    ("stdout", "$I --help >&-"),
    ("stdout", "$D show ph --output shown >&-"),
    ("stdout", "$D audit ph >&-"),
    ("stdout", "$I $S 2>&-"),
    ("stdout", "$I $S none.png 2>&-"),
    ("stdout", "$I $S none.png 2>/dev/full"),
    ("stdout", "$I --nonsense 2>/dev/full"),
    ("stdout", "$I --nonsense 2>&-"),
    ("stdout", "$X 2>&-"),
    ("stdout", "$D audit ph 2>&-"),
    ("stdout", "$I $S <&-"),
    ("stdout", "$I $S <&- >&- 2>&-"),
    ("stdout", "$I --json many > cut.jsonl; s=$?; tail -c 1 cut.jsonl | od -c | head -1; exit $s"),
    ("stdout", "(ulimit -f 5; $I --json many > cut.jsonl); s=$?; wc -l < cut.jsonl; tail -c 2 cut.jsonl; exit $s"),
    ("stdout", "(ulimit -f 5; $I --csv many > cut.csv); s=$?; tail -c 20 cut.csv; exit $s"),
    ("stdout", "$I --help | head -c 0; exit 0"),
    ("numbers", "$I --timeout nan $S"),
    ("numbers", "$I --timeout inf $S"),
    ("numbers", "$I --timeout 1e400 $S"),
    ("numbers", "$I --timeout -1 $S"),
    ("numbers", "$I --timeout 1e300 $S"),
    ("numbers", "$D split ph --output m.csv --val nan"),
    ("numbers", "$D split ph --output m.csv --test 1e400"),
    ("numbers", "$D split ph --output m.csv --seed 99999999999999"),
    ("numbers", "$T --model resnet18 --data ph --seed 99999999999999 --report-to none"),
    ("numbers", "$T folds split --data ph --output f --val nan"),
    ("left", "$I left"),
    ("left", "$I onlydicom"),
    ("left", "$D audit data"),
    ("left", "$D show data --output x"),
    ("left", "$D split data --output data.csv"),
    ("left", "$I data/train/glioma"),
    ("left", "$D audit linked"),
    ("class", "$D split three --output three.csv"),
    ("class", "$T --model resnet18 --data three --manifest three.csv --epochs 1 --output r3 --report-to none"),
    ("class", "$T --model resnet18 --data flat --epochs 1 --output r4 --report-to none"),
    ("latin1", "$D audit latin1/data"),
    ("latin1", "$D split latin1/data --output latin1.csv"),
    ("latin1", "$D show latin1/data --output latin1-shown"),
    ("latin1", "$T --model resnet18 --data latin1/data --output r5 --report-to none"),
    ("latin1", "$T evaluate b --data latin1/data --output e5"),
    ("latin1", "$I latin1/data"),
    ("latin1", "$D audit root*; cd root*; $D split . --output m.csv; $D show . --output ../rs"),
    ("heatmap", "$I names --heatmap maps2; s=$?; ls maps2 | wc -l; exit $s"),
    ("heatmap", "mkdir -p maps3/a.heatmap.png; $I a.png b.png --heatmap maps3"),
    ("time", "sleep 20 | $I --timeout 1 --json -"),
    ("time", "sleep 20 | $I --timeout 1 --json - $S"),
]  # fmt: skip

TRAINING = [
    (
        "disk",
        "(ulimit -f 2000; $T --model resnet18 --data ph --manifest ph/manifest.csv --epochs 1 --image-size 32 "
        f"--batch-size 16 --output full{number} --cache cache{number} {more})".replace("2000", size),
    )
    for number, (size, more) in enumerate((
        ("2000", "--report-to none"), ("2000", ""), ("60000", ""), ("1", ""), ("8", ""), ("200", ""),
    ))
]  # fmt: skip

ENCODINGS = ("cp1252", "cp437", "ascii", "latin-1", "utf-16")
NAMES = {
    "polish": "Kovač_Łódź",
    "japanese": "脳",
    "emoji": "🧠",
    "latin1": os.fsdecode(b"Gr\xf6sse"),
}


def prepare(work: Path, checkout: Path, training: bool) -> dict[str, str]:
    environment = {**os.environ, "PYTHONPATH": str(checkout), "ORT_DISABLE_TELEMETRY": "1", "HOME": str(work),
                   "HF_HUB_OFFLINE": "1", "S": "a.png", "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
    for name, module in (("I", "edge_infer"), ("D", "train.commands.data"), ("T", "train.cli"), ("E", "export.cli"),
                         ("X", "edge_infer.doctor_cli")):  # fmt: skip
        environment[name] = f"{sys.executable} -m {module}"
    scan = next((checkout / "examples").glob("*.jpg"))
    with Image.open(scan) as image:
        image.save(work / "a.png")
    for name in ("b.png", "mode000.png", "d/priv/x.png", "mixed/a.png", "mixed/no/b.png", "left/a.png",
                 "left/sub/b.png", *(f"many/{n}.png" for n in range(4)),
                 "names/" + "n" * 245 + ".png", "names/" + "脳" * 80 + ".png", "names/" + "n" * 244 + "m.png",
                 ):  # fmt: skip
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(work / "a.png", work / name)
    for name in (
        "left/scan.dcm",
        "left/slide.webp",
        "onlydicom/a.dcm",
        "d/open/.keep",
        "maps/.keep",
    ):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_bytes(b"")
    (work / "left/linked").symlink_to("../many")
    (work / "left/sub/up").symlink_to("..")
    (work / "loop.png").symlink_to("loop.png")
    phantoms = (
        f"{environment['D']} phantoms ph --per-class {24 if training else 6} --seed 1 --size 64"
    )
    subprocess.run(phantoms, shell=True, cwd=work, env=environment, check=True, capture_output=True)  # noqa: S602
    for name in ("fph", "three", "linked", "latin1/data", "data", "root" + NAMES["latin1"]):
        shutil.copytree(work / "ph", work / name)
    (work / "fph/train/glioma/sub").mkdir(mode=0)
    for folder in (work / "three").glob("*/no_tumor"):
        shutil.rmtree(folder)
    shutil.copytree(work / "ph/train", work / "flat")
    (work / "linked/train/glioma/batch2").symlink_to("../../../names")
    (work / "linked/train/glioma/again").symlink_to("batch2")
    shutil.copy(work / "a.png", work / "latin1/data/train/glioma" / (NAMES["latin1"] + ".png"))
    for number in range(6):
        (work / f"data/train/glioma/gone{number}.png").symlink_to(f"annex/{number}")
    shutil.copytree(work / "names", work / "batch2")
    (work / "data/train/glioma/batch2").symlink_to(work / "batch2")
    (work / "d/priv").chmod(0)
    (work / "mixed/no").chmod(0)
    (work / "mode000.png").chmod(0)
    return environment


def run(
    command: str, work: Path, environment: dict[str, str], **changes: str
) -> tuple[int, str, str]:
    ordinary = ORDINARY if os.getuid() == 0 else []
    finished = subprocess.run(
        [*ordinary, "sh", "-c", command], cwd=work, env={**environment, **changes}, capture_output=True, timeout=600,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return (
        finished.returncode,
        finished.stdout.decode("utf-8", "replace"),
        finished.stderr.decode("utf-8", "replace"),
    )


def encodings(work: Path) -> list[tuple[str, str, dict[str, str]]]:
    cases = []
    for kind, name in NAMES.items():
        folder = work / f"enc-{kind}"
        folder.mkdir(exist_ok=True)
        for file in ("a.png", name + ".png", "z.png"):
            shutil.copy(work / "a.png", folder / file)
        for encoding in ENCODINGS:
            for form in ("", "--json", "--csv"):
                where = {"PYTHONIOENCODING": encoding}
                cases.append(
                    (
                        "encoding",
                        f"$I {form} enc-{kind} none-{name}.png > out; s=$?; wc -l < out; exit $s",
                        where,
                    )
                )
            cases.append(
                (
                    "encoding",
                    f"$D show enc-{kind} --output s-{name}; $D phantoms p-{encoding}-{name} --per-class 3 --size 32",
                    where,
                )
            )
            cases.append(("encoding", "$I --help > out; $D --help > out", where))
    return cases


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkout", type=Path, default=Path(__file__).parents[2])
    parser.add_argument("--only", default="", help="cases of this group")
    parser.add_argument("--n", type=int, default=10**9, help="at most this many cases")
    parser.add_argument("--seed", type=int, default=0, help="random seed of their choice")
    parser.add_argument(
        "--training", action="store_true", help="also train on full disks, for minutes"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        environment = prepare(work, given.checkout.resolve(), given.training)
        cases = [(*case, {}) for case in [*CASES, *(TRAINING if given.training else [])]]
        cases += encodings(work)
        cases = [case for case in cases if given.only in case[0]]
        if len(cases) > given.n:
            cases = random.Random(given.seed).sample(cases, given.n)  # noqa: S311
        bugs = 0
        for group, command, changes in cases:
            status, out, errors = run(command, work, environment, **changes)
            is_bug = status == 1 or status < 0 or "Traceback" in errors
            bugs += is_bug
            said = " / ".join(
                (out.splitlines()[-2:] if len(out) < 200 else []) + errors.strip().splitlines()[-2:]
            )
            shown = command.replace(LONG, "LONG")
            sys.stdout.write(
                f"{'BUG ' if is_bug else 'ok  '}{group:9} {status:4} {ascii(shown)[1:-1]} {changes or ''}\n"
                f"      {said[:300]}\n"
            )
            sys.stdout.flush()
        sys.stdout.write(f"n {len(cases)}: {bugs} with exit status 1 or a traceback\n")


if __name__ == "__main__":
    main()
