"""The load campaign in short: nothing is lost, good clients are answered beside bad ones, memory stays."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CAMPAIGN = Path(__file__).parents[2] / "campaigns" / "service_load.py"


def test_two_thousand_requests_and_a_stop_under_load(bundle: Path, tmp_path: Path) -> None:
    numbers = tmp_path / "numbers.json"
    words = [
        "--bundle",
        bundle,
        "--workers",
        1,
        "--requests",
        2000,
        "--stops",
        1,
        "--json",
        numbers,
    ]
    timed = ["--rounds", 1, "--seconds", 1, "--parts", "clients,memory,stops"]
    command = [sys.executable, CAMPAIGN, *words, *timed]
    finished = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert numbers.is_file(), finished.stderr
    found = json.loads(numbers.read_bytes())
    assert set(found["clients"]["good_statuses"]) == {"200"}
    counted = "\n".join(found["clients"]["all_requests"])
    assert 'code="413"' in counted, "the bad clients were there"
    assert found["memory"]["growth_mb"] < 8
    assert found["stops"]["lost"] == 0
    assert found["stops"]["exit_statuses"] == [0]
    assert found["stops"]["answered"] > 0
