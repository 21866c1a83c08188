"""Put ``brain-serve`` under load: throughput, good clients beside bad ones, memory, and stops.

    python tests/campaigns/service_load.py                    # about 25 minutes: 100,000 requests
    python tests/campaigns/service_load.py --requests 2000 --stops 3 --rounds 1 --seconds 2

speed     8 clients at full speed, beside ``Classifier.predict`` in a process of its own, in as many threads as the
          service has workers, and in 8; in turn, medians over the rounds. CPU time per image counts all threads.
clients   16 good clients, together at 30 % of that throughput, alone and beside 48 bad ones, in turn. The latency of a
          request runs from when it was due. 99th percentiles over all rounds.
memory    so many requests, good and damaged ones; the memory of the process after each tenth.
stops     SIGTERM while 8 clients ask at full speed. Lost: sent on an open connection, and no answer.

Prints one table, and with --json writes the numbers. Exit status 1 if a bound of the table does not hold.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "helpers")]

from service_clients import BAD, at_full_speed, at_rate, percentile  # noqa: E402 -- after the path
from service_runs import Service, ask_until_refused  # noqa: E402

from edge_infer.atomic import write_bytes_atomically  # noqa: E402
from edge_infer.machine import machine_facts  # noqa: E402

EXAMPLES = sorted((ROOT / "examples").glob("*.jpg"))
CLIENTS, GOOD, SHARE = 8, 16, 0.3

IN_PROCESS = """
import sys, threading, time
from pathlib import Path
from edge_infer.classifier import Classifier
bundle, threads, *files = sys.argv[1:]
classifier = Classifier.load(bundle or None, num_threads=int(threads))
contents = [Path(file).read_bytes() for file in files]
print("ready", flush=True)
for line in sys.stdin:
    callers, seconds = int(line.split()[0]), float(line.split()[1])
    counts = [0] * callers
    started, cpu = time.perf_counter(), time.process_time()
    def call(own):
        number = own
        while time.perf_counter() < started + seconds:
            classifier.predict(contents[number % len(contents)])
            counts[own] += 1
            number += 1
    callers = [threading.Thread(target=call, args=(own,)) for own in range(callers)]
    for one in callers:
        one.start()
    for one in callers:
        one.join()
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    print(sum(counts) / wall, 1000 * cpu / sum(counts), flush=True)
"""


class InProcess:
    """``Classifier.predict`` in another process, whenever it is asked for."""

    def __init__(self, bundle: str, threads: int) -> None:
        words = [sys.executable, "-c", IN_PROCESS, bundle, str(threads), *map(str, EXAMPLES)]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        self._line()

    def run(self, callers: int, seconds: float) -> tuple[float, float]:
        """Images a second, and milliseconds of CPU time per image."""
        assert self._process.stdin
        self._process.stdin.write(f"{callers} {seconds}\n")
        self._process.stdin.flush()
        rate, cpu_ms = map(float, self._line().split())
        return rate, cpu_ms

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Campaign:
    """The parts, with what they found."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._options, self._folder = options, folder
        self._contents = [path.read_bytes() for path in EXAMPLES]
        self.found: dict[str, Any] = {}
        self.rows: list[tuple[str, str, str, bool]] = []

    def service(self) -> Service:
        words: list[object] = ["--no-page"]
        words += ["--bundle", self._options.bundle] if self._options.bundle else []
        words += ["--workers", self._options.workers] if self._options.workers else []
        return Service(*words, log=self._folder / "log.jsonl")

    def row(self, what: str, found: str, bound: str, *, holds: bool) -> None:
        self.rows.append((what, found, bound, holds))
        print(f"  {what}: {found}", file=sys.stderr, flush=True)

    def speed(self) -> None:
        options = self._options
        with self.service() as service:
            facts = service.log_lines[-1]
            workers, threads = facts["workers"], facts["threads"]
            inside = InProcess(options.bundle, threads)
            rates: dict[str, list[float]] = {"service": [], "workers": [], "clients": []}
            cpu: dict[str, list[float]] = {"service": [], "workers": [], "clients": []}
            at_full_speed(service, self._contents, clients=CLIENTS, seconds=0.5)
            for _ in range(options.rounds):
                for name, callers in (("workers", workers), ("clients", CLIENTS)):
                    rate, cpu_ms = inside.run(callers, options.seconds)
                    rates[name].append(rate)
                    cpu[name].append(cpu_ms)
                before = cpu_seconds(service.process.pid)
                rate, statuses = at_full_speed(
                    service, self._contents, clients=CLIENTS, seconds=options.seconds
                )
                spent = cpu_seconds(service.process.pid) - before
                assert set(statuses) == {200}, statuses
                rates["service"].append(rate)
                cpu["service"].append(1000 * spent / statuses.total())
            inside.end()
        medians = {name: statistics.median(each) for name, each in rates.items()}
        best = max(medians["workers"], medians["clients"])
        ratio = medians["service"] / best
        by_round = [
            own / max(others)
            for own, *others in zip(
                rates["service"], rates["workers"], rates["clients"], strict=True
            )
        ]
        self.found["speed"] = {
            "workers": workers,
            "threads": threads,
            "per_second": rates,
            "cpu_ms_per_image": cpu,
            "ratio": ratio,
            "ratio_by_round": by_round,
        }
        cpu_ms = {name: statistics.median(each) for name, each in cpu.items()}
        self.row(
            f"speed, {CLIENTS} clients, {workers} workers of {threads}",
            f"{medians['service']:.0f}/s; in-process {medians['workers']:.0f} ({workers} threads), "
            f"{medians['clients']:.0f} ({CLIENTS}); CPU {cpu_ms['service']:.1f} ms an image, "
            f"in-process {cpu_ms['workers']:.1f}; ratio {ratio:.2f}",
            "ratio >= 0.90",
            holds=ratio >= 0.9,
        )

    def clients(self) -> None:
        options = self._options
        latencies: dict[str, list[float]] = {"alone": [], "beside": []}
        statuses: dict[str, int] = {}
        with self.service() as service:
            full, _ = at_full_speed(service, self._contents, clients=CLIENTS, seconds=2)
            rate = SHARE * full
            for _ in range(options.rounds):
                for name in latencies:
                    bad = self._bad(service) if name == "beside" else None
                    seen, codes = at_rate(
                        service,
                        self._contents,
                        clients=GOOD,
                        rate=rate,
                        seconds=2 * options.seconds,
                    )
                    if bad is not None:
                        bad.kill()
                        bad.communicate()
                        time.sleep(0.5)
                    latencies[name] += seen
                    for code, count in codes.items():
                        statuses[str(code)] = statuses.get(str(code), 0) + count
            by_route = service.ask("GET", "/metrics").body.decode().splitlines()
        p99 = {name: 1000 * percentile(each, 0.99) for name, each in latencies.items()}
        p50 = {name: 1000 * percentile(each, 0.5) for name, each in latencies.items()}
        ratio = p99["beside"] / p99["alone"]
        self.found["clients"] = {
            "good": GOOD,
            "bad": BAD,
            "rate_per_second": rate,
            "n": {name: len(each) for name, each in latencies.items()},
            "p50_ms": p50,
            "p99_ms": p99,
            "ratio": ratio,
            "good_statuses": statuses,
            "all_requests": [line for line in by_route if "requests_total{" in line],
        }
        self.row(
            f"{GOOD} good clients at {rate:.0f}/s beside {sum(BAD.values())} bad",
            f"p99 {p99['beside']:.1f} ms, alone {p99['alone']:.1f} (p50 {p50['beside']:.1f}, "
            f"{p50['alone']:.1f}); n {len(latencies['beside'])} and {len(latencies['alone'])}, "
            f"statuses {statuses}; ratio {ratio:.2f}",
            "ratio < 2, all 200",
            holds=ratio < 2 and set(statuses) == {"200"},
        )

    def _bad(self, service: Service) -> subprocess.Popen[str]:
        words = [
            str(ROOT / "tests/helpers/service_clients.py"),
            str(service.port),
            str(EXAMPLES[0]),
        ]
        bad = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True)
        assert bad.stdout
        bad.stdout.readline()
        time.sleep(1.0)
        return bad

    def memory(self) -> None:
        total = self._options.requests
        damaged = [one[: len(one) // 2] for one in self._contents]
        contents = [*self._contents, *self._contents, damaged[0], b"no image at all"]
        tenth = max(1, total // 10)
        with self.service() as service:
            points = []
            asked = 0
            while asked < total:
                counts = _ask_so_many(service, contents, tenth)
                assert set(counts) == {200, 422}, counts
                asked += counts.total()
                points.append((asked, service.rss_mb))
                print(f"  {asked:,} requests, {points[-1][1]:.1f} MB", file=sys.stderr, flush=True)
        # The first tenth fills caches: of the allocator, of onnxruntime's arena, of connections.
        slope = _slope(points[1:]) * 10_000 if len(points) > 2 else 0.0
        growth = points[-1][1] - points[0][1]
        self.found["memory"] = {"points": points, "mb_per_10000": slope, "growth_mb": growth}
        self.row(
            f"memory over {asked:,} requests",
            f"{points[0][1]:.1f} MB after a tenth, {points[-1][1]:.1f} at the end; "
            f"{slope:+.2f} MB per 10,000",
            "growth < 5 MB",
            holds=growth < 5,
        )

    def stops(self) -> None:
        rng = random.Random(0)  # noqa: S311 -- no secret
        answered = lost = others = 0
        seconds: list[float] = []
        endings: list[int] = []
        for _ in range(self._options.stops):
            outcomes: list[str] = []
            with self.service() as service:
                threads = [
                    threading.Thread(
                        target=ask_until_refused, args=(service, self._contents[0], outcomes)
                    )
                    for _ in range(CLIENTS)
                ]
                for thread in threads:
                    thread.start()
                time.sleep(rng.uniform(0.5, 1.0))
                started = time.perf_counter()
                service.signal(signal.SIGTERM)
                endings.append(service.process.wait(60))
                seconds.append(time.perf_counter() - started)
                for thread in threads:
                    thread.join()
            answered += outcomes.count("200")
            lost += outcomes.count("lost")
            others += len(outcomes) - outcomes.count("200") - outcomes.count("lost")
        self.found["stops"] = {
            "answered": answered,
            "lost": lost,
            "other_statuses": others,
            "exit_statuses": endings,
            "seconds": seconds,
        }
        self.row(
            f"{len(endings)} stops under load",
            f"{answered:,} answered, {lost} lost, {others} refused; exit statuses {sorted(set(endings))}; "
            f"ended in {statistics.median(seconds):.1f} s, at most {max(seconds):.1f}",
            "0 lost, status 0",
            holds=lost == 0 and set(endings) == {0},
        )


def _ask_so_many(service: Service, contents: list[bytes], count: int) -> Any:
    from collections import Counter

    from service_runs import request_bytes

    requests = [request_bytes("POST", "/v1/classify", one, host=service.host) for one in contents]
    numbers = iter(range(count))
    lock = threading.Lock()
    statuses: Counter[int] = Counter()

    def ask() -> None:
        with service.connect() as connection:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                connection.send(requests[number % len(requests)])
                status = connection.receive().status
                with lock:
                    statuses[status] += 1

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


def _slope(points: list[tuple[int, float]]) -> float:
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ("speed", "clients", "memory", "stops")
    parser.add_argument("--parts", default=",".join(parts), help="which, with commas")
    parser.add_argument("--bundle", default="", help="folder; default: the shipped one")
    parser.add_argument("--workers", type=int, help="of the service")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0, help="of one measurement")
    parser.add_argument("--requests", type=int, default=100_000, help="of the part memory")
    parser.add_argument("--stops", type=int, default=20)
    parser.add_argument("--json", type=Path, help="file for the numbers")
    options = parser.parse_args()
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        campaign = Campaign(options, Path(folder))
        for part in options.parts.split(","):
            assert part in parts, part
            getattr(campaign, part)()
    facts = machine_facts()
    print(f"{facts['cpu']}, {facts['usable_cores']} cores, load before {load_before:.1f}")
    width = max(len(row[0]) for row in campaign.rows)
    for what, found, bound, holds in campaign.rows:
        print(f"{what:<{width}}  {'holds' if holds else 'FAILS'}  {bound}\n    {found}")
    if options.json:
        numbers = {"machine": facts, "load_before": load_before, **campaign.found}
        write_bytes_atomically(options.json, (json.dumps(numbers, indent=1) + "\n").encode())
    return 0 if all(row[3] for row in campaign.rows) else 1


if __name__ == "__main__":
    sys.exit(main())
