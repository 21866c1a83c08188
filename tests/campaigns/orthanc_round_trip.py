"""Store DICOM files in an Orthanc of its own and fetch them again, by C-STORE, STOW-RS and WADO-RS.

Debian's Orthanc 1.10.1 listens on every address whatever its settings say, so it runs where there is no other network:

    unshare -n sh -c 'ip link set lo up && exec python tests/campaigns/orthanc_round_trip.py SOURCES RESULTS OUT'

SOURCES and RESULTS are folders of DICOM files; what is fetched goes to OUT. Prints one JSON object.
"""

import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import pydicom
from dicomweb_client.api import DICOMwebClient

HTTP, DICOM = 18342, 14342
BASE = f"http://127.0.0.1:{HTTP}"
PLUGINS = Path("/usr/share/orthanc/plugins")
LONGEST_S = 30.0


def main() -> None:
    """Run the round trip."""
    sources, results, out = map(Path, sys.argv[1:4])
    if {name for _, name in socket.if_nameindex()} != {"lo"}:
        raise SystemExit("not in a network namespace of its own: see the docstring")
    with tempfile.TemporaryDirectory() as folder:
        orthanc = start(Path(folder))
        try:
            print(json.dumps(round_trip(sources, results, out)))
        finally:
            orthanc.kill()  # its store goes with it
            orthanc.wait(timeout=20)


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Start Orthanc with a store in a folder, and wait until it answers."""
    config = folder / "orthanc.json"
    settings = {
        "Name": "ROUNDTRIP",
        "StorageDirectory": str(folder / "store"),
        "IndexDirectory": str(folder / "store"),
        "HttpPort": HTTP,
        "DicomPort": DICOM,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [str(PLUGINS)],
        "DicomWeb": {"Enable": True},
    }
    config.write_text(json.dumps(settings))
    log = (folder / "orthanc.log").open("wb")
    process = subprocess.Popen(["Orthanc", str(config)], stdout=log, stderr=log)
    started = time.monotonic()
    while time.monotonic() - started < LONGEST_S:
        try:
            read("/system")
        except OSError:
            time.sleep(0.1)
        else:
            return process
    process.kill()
    raise SystemExit("Orthanc did not start: " + (folder / "orthanc.log").read_text()[-2000:])


def round_trip(sources: Path, results: Path, out: Path) -> dict[str, Any]:
    """Store, store again, fetch."""
    storescu = ["storescu", "-R", "-aec", "ROUNDTRIP", "127.0.0.1", str(DICOM)]
    subprocess.run([*storescu, *map(str, sorted(sources.iterdir()))], check=True)
    files = sorted(results.iterdir())
    subprocess.run([*storescu, *map(str, files)], check=True)
    once = statistics()
    subprocess.run([*storescu, *map(str, files)], check=True)
    client = DICOMwebClient(f"{BASE}/dicom-web")
    given = [pydicom.dcmread(path) for path in files]
    client.store_instances(given)
    twice = statistics()
    started = time.monotonic()
    for dataset in given:
        fetched = client.retrieve_instance(
            str(dataset.StudyInstanceUID),
            str(dataset.SeriesInstanceUID),
            str(dataset.SOPInstanceUID),
            media_types=(("application/dicom", "1.2.840.10008.1.2.1"),),
        )
        fetched.save_as(out / f"{dataset.SOPInstanceUID}.dcm", enforce_file_format=True)
    fetch_s = time.monotonic() - started
    return {
        "orthanc": read("/system")["Version"],
        "instances": once["CountInstances"],
        "instances_after_repeat": twice["CountInstances"],
        "patients": twice["CountPatients"],
        "studies": twice["CountStudies"],
        "series": {
            one["MainDicomTags"]["SeriesInstanceUID"]: [
                one["MainDicomTags"]["Modality"],
                len(one["Instances"]),
            ]
            for study in read("/studies")
            for one in read(f"/studies/{study}/series?expand")
        },
        "fetch_s": round(fetch_s, 3),
    }


def statistics() -> dict[str, Any]:
    """Count what is stored."""
    found: dict[str, Any] = read("/statistics")
    return found


def read(path: str) -> Any:
    """Get JSON."""
    return json.loads(urllib.request.urlopen(BASE + path, timeout=10).read())  # noqa: S310  # our own Orthanc


if __name__ == "__main__":
    main()
