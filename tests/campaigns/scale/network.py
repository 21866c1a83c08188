"""See whom each engine calls when it is started with its defaults, where it listens, and with the settings used here.

    python tests/campaigns/scale/network.py --environments FOLDER [--seconds 90] [--case NAME] [--result FILE]

Everything runs in a network namespace without a network, so that nothing leaves the machine; the address of the name
server is given to the loopback interface, so that questions for names are seen. Linux, as root, with strace, unshare
and ip.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))
from scale.records import TOP, circumstances, read_json, write_json
from scale.watching import MARK, Watch, end, new_mark
from tqdm import tqdm

_DASK = """
from distributed import Client, LocalCluster
if __name__ == "__main__":
    import time
    with LocalCluster({options}) as cluster, Client(cluster) as client:
        assert client.submit(sum, [1, 2]).result() == 3
        time.sleep({seconds})
"""
_BATCH = """
from pathlib import Path
from edge_infer.batch.clusters import local_cluster
if __name__ == "__main__":
    import time
    with local_cluster(2, Path("scratch")) as client:
        assert client.submit(sum, [1, 2]).result() == 3
        time.sleep({seconds})
"""
_RAY = """
import time, ray
ray.init({options})
assert ray.get(ray.remote(lambda: 3).remote()) == 3
time.sleep({seconds})
ray.shutdown()
"""
#: Name, environment, code, options, further variables.
CASES: list[tuple[str, str, str, str, dict[str, str]]] = [
    ("dask, defaults", "dask", _DASK, "n_workers=2", {}),
    ("dask, as brain-batch", "dask", _BATCH, "", {"PYTHONPATH": str(TOP)}),
    ("ray, defaults", "ray_data", _RAY, "", {}),
    (
        "ray, without usage statistics and dashboard",
        "ray_data",
        _RAY,
        "include_dashboard=False",
        {"RAY_USAGE_STATS_ENABLED": "0"},
    ),
]
_CONNECT = re.compile(r"connect\(\d+, \{sa_family=AF_INET6?, .*?htons\((\d+)\).*?\"([0-9a-f.:]+)\"")
#: A question to a name server as strace prints it: flags, one question, no answers; then the name, a length before each
#: part, and a zero.
_QUESTION = re.compile(
    r"\\1\\0\\0\\1\\0\\0\\0\\0\\0\\[01]((?:[a-z0-9-]|\\[0-7]{1,3}|\\[abtnvfr])+)"
)
_ESCAPE = re.compile(r"\\(?:[0-7]{1,3}|[abtnvfr])")


def main() -> None:
    """Look at each case, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environments", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=90)
    parser.add_argument("--result", type=Path, default=TOP / "docs" / "scale" / "network.json")
    parser.add_argument("--case", action="append", choices=[case[0] for case in CASES])
    given = parser.parse_args()
    before = read_json(given.result, {})
    cases = before.get("cases", {}) if given.case else {}
    for name, engine, code, options, variables in tqdm(CASES, unit="case"):
        if given.case and name not in given.case:
            continue
        python = given.environments / engine / "bin" / "python"
        cases[name] = _seen(python, code.format(options=options, seconds=given.seconds), variables)
        result = {"circumstances": circumstances(), "seconds": given.seconds, "cases": cases}
        write_json(given.result, result)
    for name, seen in cases.items():
        print(name, seen)


def _seen(python: Path, code: str, variables: dict[str, str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as temporary:
        script, trace = Path(temporary) / "case.py", Path(temporary) / "trace"
        script.write_text(code, encoding="utf-8")
        mark = new_mark()
        given = [f"ip addr add {one}/32 dev lo" for one in _name_servers()]
        traced = f"exec strace -f -qq -s 300 -e trace=connect,sendto,sendmsg,sendmmsg -o {trace} {python} {script}"
        commands = " && ".join(["ip link set lo up", *given, traced])
        watch = Watch(mark)
        unset = ("RAY_USAGE_STATS_ENABLED", "DO_NOT_TRACK")
        kept = {key: value for key, value in os.environ.items() if key not in unset}
        with watch.watching():
            ended = subprocess.run(
                ["unshare", "--net", "sh", "-c", commands],
                env={**kept, MARK: mark, "TMPDIR": temporary, "RAY_TMPDIR": temporary, **variables},
                cwd=temporary,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
        time.sleep(1)
        end(mark)
        text = trace.read_text(errors="replace")
    seen = {
        "status": ended.returncode,
        "listens_on": sorted({address for address, _ in watch.open_ports}),
        "addresses_elsewhere": _elsewhere(text),
        "names_asked": _names(text),
    }
    if ended.returncode:
        seen["complaint"] = ended.stderr.strip().splitlines()[-1:]
    return seen


def _name_servers() -> list[str]:
    """Return the addresses of name servers, but those on this machine."""
    text = Path("/etc/resolv.conf").read_text()
    found = re.findall(r"^nameserver\s+([\d.]+)", text, re.MULTILINE)
    return [one for one in found if not one.startswith("127.")]


def _elsewhere(text: str) -> list[str]:
    """Return addresses of other machines that a socket was aimed at; name servers are called by what they are."""
    servers = _name_servers()
    found = set()
    for port, address in _CONNECT.findall(text):
        address = address.removeprefix("::ffff:")
        if port == "0" or address.startswith("127.") or address in ("::1", "0.0.0.0"):  # noqa: S104
            continue
        found.add("the name server" if address in servers else f"{address} port {port}")
    return sorted(found)


def _names(text: str) -> list[str]:
    """Return the names that were asked for, from questions to name servers as strace prints them."""
    found = set()
    for line in text.splitlines():
        for asked in _QUESTION.findall(line) if "send" in line else ():
            parts = _ESCAPE.sub(" ", asked.partition("\\0")[0]).split()
            found.add(".".join(parts))
    return sorted(found)


if __name__ == "__main__":
    main()
