"""How often brain-drift alarms where nothing drifted, and how often it finds a drift that was planted.

    python tests/campaigns/drift_rates.py [--data ../shared/data] [--splits 500] [--power-splits 100]

Answers are asked once (``runs/drift/answers``); each part's result is kept (``runs/drift/rates``), so an interrupted
run goes on. Writes docs/drift/rates.json, which docs/make_drift.py puts into docs/drift.md.
"""

import argparse
import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from drift_answers import Answered, Asker, planted, together
from scale.records import circumstances

from edge_infer.baseline.parts import Baseline
from edge_infer.baseline.reading import read_baseline
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.drift.comparing import compare
from edge_infer.drift.fitting import fit_baseline
from edge_infer.drift.limits import DEFAULTS
from edge_infer.figures.intervals import wilson_interval

ROOT = Path(__file__).parents[2]
WINDOWS = (200, 400)
#: Images of the baseline, as many as the shipped one has.
REFERENCE = 410

Draw = Callable[[np.random.Generator, int], tuple[Baseline, Answered]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(os.environ.get("BRAIN_EDGE_DATA", ROOT / ".." / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--splits", type=int, default=500)
    parser.add_argument("--power-splits", type=int, default=100)
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "drift")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "drift" / "rates.json")
    options = parser.parse_args()
    asker = Asker(options.data, options.work / "answers")
    kept = options.work / "rates" / _digest(asker)
    kept.mkdir(parents=True, exist_ok=True)
    result = {
        "research_use_only": RESEARCH_USE_ONLY,
        **{name: circumstances()[name] for name in ("processor", "date")},
        "limits": dict(DEFAULTS),
        "reference": REFERENCE,
        "false_alarms": [
            _kept(kept, f"{row[0]}-{row[1]}", lambda row=row: _rate(*row, options.splits))
            for row in false_alarm_rows(asker)
        ],
        "power": [
            _kept(
                kept, f"power-{row[0]}-{row[1]}", lambda row=row: _rate(*row, options.power_splits)
            )
            for row in power_rows(asker)
        ],
        "power_of_the_shipped": [
            _kept(
                kept,
                f"shipped-{row[0]}-{row[1]}",
                lambda row=row: _rate(*row, options.power_splits),
            )
            for row in shipped_power_rows(asker)
        ],
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


def false_alarm_rows(asker: Asker) -> list[tuple[str, int, Draw]]:
    """Return what is drawn where nothing drifted: a name, the size of the window, and the draw."""
    pool = together([asker.brisc("val"), asker.brisc("test")])
    test = asker.brisc("test")
    patients = len(set(pool.groups))
    shipped = _shipped(asker)

    def of_images(generator: np.random.Generator, n: int) -> tuple[Baseline, Answered]:
        order = generator.permutation(len(pool))
        return _fit(asker, pool.take(order[:REFERENCE])), pool.take(order[REFERENCE:][:n])

    def one_each(generator: np.random.Generator, n: int) -> tuple[Baseline, Answered]:
        order = generator.permutation(len(pool))
        groups = np.array(pool.groups)[order]
        first = order[np.sort(np.unique(groups, return_index=True)[1])]  # an image of each patient
        first = generator.permutation(first)
        return _fit(asker, pool.take(first[n:])), pool.take(first[:n])

    def of_patients(generator: np.random.Generator, n: int) -> tuple[Baseline, Answered]:
        groups = np.array(pool.groups)
        names = generator.permutation(np.unique(groups))
        is_reference = np.isin(groups, names[: round(patients * REFERENCE / len(pool))])
        rest = generator.permutation(np.flatnonzero(~is_reference))
        reference = pool.take(np.flatnonzero(is_reference))
        return _fit(asker, reference, groups=reference.groups), pool.take(rest[:n])

    def of_the_shipped(generator: np.random.Generator, n: int) -> tuple[Baseline, Answered]:
        return shipped, test.take(generator.permutation(len(test))[:n])

    def one_each_of_the_shipped(
        generator: np.random.Generator, n: int
    ) -> tuple[Baseline, Answered]:
        order = generator.permutation(len(test))
        _, first = np.unique(np.array(test.groups)[order], return_index=True)
        return shipped, test.take(generator.permutation(order[first])[:n])

    rows: list[tuple[str, int, Draw]] = [("one image a patient", patients // 2, one_each)]
    for name, draw in (
        ("images at random", of_images),
        ("other patients, all their images", of_patients),
        ("shipped baseline, other patients", of_the_shipped),
    ):
        rows += [(name, n, draw) for n in WINDOWS]
    whole = len(test)
    rows.append((f"shipped baseline, other patients, all {whole} images", whole, of_the_shipped))
    rows.append(("shipped baseline, one image a patient", 200, one_each_of_the_shipped))
    return rows


def power_rows(asker: Asker) -> list[tuple[str, int, Draw]]:
    """Return what is drawn where a drift was planted."""
    test, pool = asker.brisc("test"), together([asker.brisc("val"), asker.brisc("test")])
    first_test = len(pool) - len(test)

    def planting(worse: Answered, share: float) -> Draw:
        def draw(generator: np.random.Generator, n: int) -> tuple[Baseline, Answered]:
            order = generator.permutation(len(pool))
            free = order[REFERENCE:] - first_test  # rows of the test part that the baseline lacks
            window = free[free >= 0][:n]
            cut = round(share * n)
            return _fit(asker, pool.take(order[:REFERENCE])), together(
                [worse.take(window[:cut]), test.take(window[cut:])]
            )

        return draw

    def foreign(other: Answered, share: float) -> Draw:
        def draw(generator: np.random.Generator, n: int) -> tuple[Baseline, Answered]:
            order = generator.permutation(len(pool))
            cut = round(share * n)
            chosen = other.take(generator.permutation(len(other))[:cut])
            rest = pool.take(order[REFERENCE:][: n - cut])
            return _fit(asker, pool.take(order[:REFERENCE])), together([chosen, rest])

        return draw

    rows: list[tuple[str, int, Draw]] = [
        ("nothing: a control", n, planting(test, 1.0)) for n in WINDOWS
    ]
    for kind, severity in planted():
        worse = asker.spoilt("test", kind, severity)
        rows += [(f"{kind} {severity}", n, planting(worse, 1.0)) for n in WINDOWS]
        if severity == 5:
            rows += [
                (f"{kind} {severity}, a quarter of the images", n, planting(worse, 0.25))
                for n in WINDOWS
            ]
    btp, lgg = asker.external("tcia_btp"), asker.external("tcga_lgg", "T1c")
    flair, body = asker.external("tcga_lgg", "FLAIR"), asker.external("vqa_rad")
    for name, other, share in (
        ("another data set (TCIA Brain-Tumor-Progression), half", btp, 0.5),
        ("another data set (TCIA Brain-Tumor-Progression), a tenth", btp, 0.1),
        ("another data set (TCGA-LGG), 45 %", lgg, 0.45),
        ("another sequence (FLAIR of TCGA-LGG), a tenth", flair, 0.1),
        ("chest X-ray and abdominal CT, a tenth", body, 0.1),
        ("chest X-ray and abdominal CT, a quarter", body, 0.25),
    ):
        rows += [(name, n, foreign(other, share)) for n in WINDOWS if share * n <= len(other)]
    return rows


def shipped_power_rows(asker: Asker) -> list[tuple[str, int, Draw]]:
    """Return what is drawn where a drift was planted, against the shipped baseline and its few patients."""
    shipped = _shipped(asker)
    n = WINDOWS[-1]

    def planting(worse: Answered) -> Draw:
        def draw(generator: np.random.Generator, n: int) -> tuple[Baseline, Answered]:
            return shipped, worse.take(generator.permutation(len(worse))[:n])

        return draw

    control = [("nothing: a control", n, planting(asker.brisc("test")))]
    return control + [
        (f"{kind} {severity}", n, planting(asker.spoilt("test", kind, severity)))
        for kind, severity in planted()
    ]


def _digest(asker: Asker) -> str:
    """Return a digest of what decides the rates: the code, its limits, and the bundle but for its own baseline."""
    digest = hashlib.sha256(json.dumps(dict(DEFAULTS), sort_keys=True).encode())
    for path in sorted((ROOT / "edge_infer" / "drift").glob("*.py")):
        digest.update(path.read_bytes())
    digest.update(asker.bundle_key.encode())
    return digest.hexdigest()[:16]


def _fit(asker: Asker, part: Answered, groups: Sequence[str] = ()) -> Baseline:
    fields = fit_baseline(part.seen, labels=asker.labels, source="drawn", groups=groups, by=())
    return read_baseline(fields, asker.labels)


def _shipped(asker: Asker) -> Baseline:
    val = asker.brisc("val")
    return _fit(asker, val, groups=val.groups)


def _rate(name: str, n: int, draw: Draw, splits: int) -> dict[str, Any]:
    alarms = signs = 0
    by_measure, by_test, tests = Counter[str](), Counter[str](), Counter[str]()
    for split in range(splits):
        baseline, window = draw(np.random.default_rng([25, split]), n)
        found = compare(baseline, window.seen, DEFAULTS, intervals=False)
        every = found["groups"][0]["tests"]
        alarms += found["verdict"] == "drift"
        signs += any(test["verdict"] != "no sign" for test in every)
        by_measure.update({test["measure"] for test in every if test["verdict"] == "drift"})
        tests.update(test["test"] for test in every)
        by_test.update(test["test"] for test in every if test["p"] < 0.05)
    return {
        "name": name,
        "n": n,
        "splits": splits,
        "alarms": asdict(wilson_interval(alarms, splits)),
        "signs": asdict(wilson_interval(signs, splits)),
        "measures": dict(by_measure.most_common()),
        "below_5_percent": {test: by_test[test] / tests[test] for test in tests},
    }


def _kept(folder: Path, name: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    file = folder / f"{name.replace(' ', '_').replace('/', '_')}.json"
    if not file.is_file():
        found = compute()
        file.write_text(json.dumps(found), encoding="utf-8")
        print(
            f"{name}: alarms {found['alarms']['value']:.3f}, signs {found['signs']['value']:.3f}",
            flush=True,
        )
    loaded: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return loaded


if __name__ == "__main__":
    sys.exit(main())
