"""The campaign among Orthanc, dcmtk and dicom3tools, in short."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from orthanc_server import program

CAMPAIGN = Path(__file__).parents[3] / "tests" / "campaigns" / "hospital_network.py"


@pytest.mark.hospital
@pytest.mark.slow
def test_orthanc_dcmtk_and_dicom3tools_agree_with_the_node() -> None:
    needed = ("unshare", "ip", "storescu", "dciodvfy", "dsrdump")
    missing = [name for name in needed if shutil.which(name) is None]
    if program() is None:
        missing.append("Orthanc with its DICOMweb plugin")
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    if os.geteuid() != 0 or subprocess.run(["unshare", "-n", "true"], check=False).returncode:
        pytest.skip("needs root, for a network of its own")
    finished = subprocess.run(
        [
            sys.executable,
            CAMPAIGN,
            "--studies",
            "3",
            "--kills",
            "1",
            "--outage",
            "2",
            "--memory",
            "0",
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    table = finished.stdout.partition("remark\n")[2]
    assert [line.split("  ")[0] for line in table.splitlines()[:5]] == [
        "round trip",
        "interleaved",
        "abort",
        "outage",
        "kills",
    ]
    assert "1 SR, 1 SC, 0 dciodvfy errors" in table
