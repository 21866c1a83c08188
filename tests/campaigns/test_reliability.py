"""The campaigns at their smallest sizes, and the harness itself: what it must notice, and what a kill may not cost."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from reliability.campaign import Campaign
from reliability.catalogue import MODULES, campaign
from reliability.records import Record, publish, published
from reliability.running import Limits, run_subject
from reliability.verdict import described, faults


def _run(chosen: Campaign, subject: str, until: int, folder: Path) -> dict:
    record = Record(chosen.id, subject, folder=folder, published=None)
    run_subject(
        chosen,
        subject,
        until=until,
        record=record,
        limits=Limits(),
        done=lambda _trials, _failures: None,
    )
    assert record.trials == until
    return record.sums()


@pytest.mark.campaign
@pytest.mark.parametrize("name", MODULES)
def test_a_promise_holds_and_its_negative_control_does_not(name: str, tmp_path: Path) -> None:
    chosen = campaign(name)
    if not chosen.ci["ours"]:
        pytest.skip("takes too long for CI, where other tests look at the same")
    missing = chosen.missing()
    if missing:
        pytest.skip(missing)
    sums = {
        subject: _run(chosen, subject, chosen.ci[subject], tmp_path) for subject in chosen.subjects
    }
    assert faults(chosen, sums) == [], sums["ours"]["failures"]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> dict:
    chosen = campaign("planted_campaign")
    folder = tmp_path_factory.mktemp("planted")
    return {
        subject: _run(chosen, subject, chosen.ci[subject], folder) for subject in chosen.subjects
    }


def test_each_way_to_fail_is_counted_once_and_named(planted: dict) -> None:
    why = {failure["trial"]: failure["why"] for failure in planted["ours"]["failures"]}
    assert why[3] == "as planted"
    assert why[4] == "KeyError: 'unnamed'"
    assert why[5] == "the process died: killed by SIGSEGV"
    assert why[6] == "did not end, and was killed"
    assert "limit 0.5 s" in why[7]
    assert sorted(why) == [3, 4, 5, 6, 7]
    assert planted["ours"]["failed"] == 5


def test_what_was_seen_is_added_up_and_the_largest_figure_kept(planted: dict) -> None:
    assert planted["ours"]["tries"] == 9 + 10
    assert planted["ours"]["kinds"]["many"] == 10
    assert planted["ours"]["figures"] == {"size, MB": 8.0}


def test_a_control_that_holds_is_a_fault_of_the_campaign(planted: dict) -> None:
    found = faults(campaign("planted_campaign"), planted)
    assert found == [
        "the promise did not hold in 5 of 10 trials",
        "the negative control held in all of 3 trials",
    ]
    unrun = {**planted, "control": {**planted["control"], "trials": 0, "tries": 0}}
    assert "the negative control was not run" in faults(campaign("planted_campaign"), unrun)


_ENDLESS = """
import sys; sys.path[:0] = {paths!r}
from dataclasses import replace
from pathlib import Path
from reliability.catalogue import campaign
from reliability.records import Record
from reliability.running import Limits, run_subject
if __name__ == "__main__":
    chosen = replace(campaign("R26"), chunk=3)
    record = Record("R26", "control", folder=Path({folder!r}), published=None)
    run_subject(chosen, "control", until=5000, record=record, limits=Limits(), done=lambda *_: None)
"""


def test_a_campaign_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    paths = [path for path in sys.path if path]
    script = tmp_path / "endless.py"
    script.write_text(_ENDLESS.format(paths=paths, folder=str(tmp_path)), "utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    child = subprocess.Popen([sys.executable, str(script)], env=environment, start_new_session=True)
    lines = tmp_path / "R26-control.jsonl"
    end = time.monotonic() + 60
    while not lines.exists() or lines.read_bytes().count(b"\n") < 2:
        assert time.monotonic() < end
        time.sleep(0.05)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    with lines.open("a", encoding="utf-8") as file:
        file.write('{"trials": [4000, ')  # as a kill within a write leaves it
    before = Record("R26", "control", folder=tmp_path, published=None).trials
    assert before >= 6
    sums = _run(campaign("R26"), "control", before + 3, tmp_path)
    numbers = [
        number
        for line in lines.read_text("utf-8").splitlines()
        for number in json.loads(line)["trials"]
    ]
    assert sorted(numbers) == list(range(before + 3))
    assert sums["trials"] == before + 3


def test_published_trials_are_not_run_again_and_are_added_to(tmp_path: Path, planted: dict) -> None:
    chosen = campaign("planted_campaign")
    page = tmp_path / "reliability.json"
    publish("R99", described(chosen, planted, command="none"), page)
    record = Record("R99", "ours", folder=tmp_path / "runs", published=page)
    assert list(record.missing(12, 5)) == [[10, 11]]
    record.add(
        [10, 11],
        {"tries": 2, "kinds": {"held": 2}, "failures": [], "figures": {}, "slowest_s": 0.0},
    )
    sums = record.sums()
    assert (sums["trials"], sums["failed"], sums["kinds"]["held"]) == (
        12,
        5,
        planted["ours"]["kinds"]["held"] + 2,
    )
    assert published(page)["R99"]["planned"] == {"ours": 10, "control": 3}
    publish("R99", described(chosen, {**planted, "ours": sums}, command="none"), page)
    again = Record("R99", "ours", folder=tmp_path / "runs", published=page).sums()
    assert (again["trials"], again["tries"], again["ranges"]) == (12, sums["tries"], [[0, 12]])
