"""Attack a promise at scale, and publish what came of it.

    python tests/campaigns/run.py                          # all campaigns at the sizes of CI
    python tests/campaigns/run.py R4 R7 --size full        # two of them, whole; publishes to docs/reliability.json
    python tests/campaigns/run.py R4 --trial 712           # one trial once more, here

A whole campaign that was stopped or killed goes on where it was. Exit status 1 if a promise did not hold or a negative
control did.
"""

import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))

import click
from reliability.campaign import SUBJECTS, Broken, Campaign
from reliability.catalogue import MODULES, campaign
from reliability.records import PUBLISHED, Record, publish
from reliability.running import Limits, run_subject
from reliability.verdict import described, faults
from tqdm import tqdm

_TOP = Path(__file__).resolve().parents[2]
_RUNS = _TOP / "runs" / "campaigns"


@click.command(help=__doc__)
@click.argument("names", nargs=-1, metavar="[ID]...")
@click.option("--size", type=click.Choice(["ci", "full"]), default="ci", show_default=True)
@click.option("--n", type=int, help="Trials of each subject, instead of the size's.")
@click.option(
    "--subject", "subjects", multiple=True, type=click.Choice(SUBJECTS), help="Only these."
)
@click.option("--processes", type=int, default=2, show_default=True)
@click.option(
    "--minutes",
    type=float,
    help="Stop each subject after this time; the rest stays for another run.",
)
@click.option("--restart", is_flag=True, help="Forget earlier trials, published ones too.")
@click.option(
    "--publish/--no-publish", "publishes", default=None, help="Default: with --size full."
)
@click.option("--trial", type=int, help="Run this one trial and say what it saw.")
def main(
    names: tuple[str, ...],
    size: str,
    n: int | None,
    subjects: tuple[str, ...],
    processes: int,
    minutes: float | None,
    restart: bool,
    publishes: bool | None,
    trial: int | None,
) -> None:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)  # for the processes of the campaigns
    unknown = set(names) - set(MODULES)
    if unknown:
        raise click.UsageError(
            f"no campaign {', '.join(sorted(unknown))}; there are {', '.join(MODULES)}"
        )
    is_full = size == "full"
    limits = Limits(processes=processes, minutes=minutes)
    wrong = []
    for chosen in map(campaign, names or MODULES):
        missing = chosen.missing()
        if missing:
            click.echo(f"{chosen.id} {chosen.title}: not run, {missing}")
            wrong += [chosen.id] if names else []
            continue
        asked = subjects or tuple(chosen.subjects)
        if trial is not None:
            _once(chosen, asked[0], trial)
            continue
        records = {
            subject: _record(chosen, subject, is_full=is_full) for subject in chosen.subjects
        }
        for subject in asked:
            if restart or not is_full:
                records[subject].restart()
            until = n if n is not None else getattr(chosen, size)[subject]
            _run(chosen, subject, until=until, record=records[subject], limits=limits)
        sums = {subject: record.sums() for subject, record in records.items()}
        found = faults(chosen, sums)
        click.echo(
            "\n".join([*_lines(chosen, sums), *(f"{chosen.id}: {fault}" for fault in found)])
        )
        wrong += [chosen.id] if found else []
        if publishes if publishes is not None else is_full:
            command = f"python tests/campaigns/run.py {chosen.id} --size full"
            publish(chosen.id, described(chosen, sums, command=command))
    if wrong:
        click.echo(f"not as promised: {', '.join(wrong)}")
        raise SystemExit(1)


def _record(chosen: Campaign, subject: str, *, is_full: bool) -> Record:
    folder = _RUNS if is_full else _RUNS / "ci"
    return Record(chosen.id, subject, folder=folder, published=PUBLISHED if is_full else None)


def _run(chosen: Campaign, subject: str, *, until: int, record: Record, limits: Limits) -> None:
    failed = 0
    start = min(record.trials, until)
    name = f"{chosen.id} {subject}"
    with tqdm(total=until, initial=start, unit="trial", desc=name, mininterval=1) as bar:

        def done(trials: int, failures: int) -> None:
            nonlocal failed
            failed += failures
            bar.set_postfix(failed=failed, refresh=False)
            bar.update(trials)

        run_subject(chosen, subject, until=until, record=record, limits=limits, done=done)


def _lines(chosen: Campaign, sums: dict[str, dict]) -> Iterable[str]:
    for subject, counted in sums.items():
        kinds = ", ".join(f"{kind} {count}" for kind, count in counted["kinds"].items())
        figures = "".join(f"; {figure} {value:g}" for figure, value in counted["figures"].items())
        yield (
            f"{chosen.id} {subject}: {counted['failed']} of {counted['trials']} failed; {kinds}{figures}; "
            f"slowest {counted['slowest_s']:.2f} s"
        )
        for failure in counted["failures"][:5] if subject == "ours" else ():
            yield f"  trial {failure['trial']}: {failure['why']}"


def _once(chosen: Campaign, subject: str, number: int) -> None:
    attacked = chosen.subjects[subject]
    with tempfile.TemporaryDirectory() as kept, tempfile.TemporaryDirectory() as folder:
        prepared = attacked.prepare(Path(kept))
        try:
            saw = attacked.trial(prepared, number, Path(folder))
        except Broken as broken:
            saw = f"broken: {broken}"
    click.echo(f"{chosen.id} {subject} {number}: {saw}")


if __name__ == "__main__":
    main()
