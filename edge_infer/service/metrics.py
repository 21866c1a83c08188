"""Numbers for Prometheus in its text format, version 0.0.4; labels are words of ours, never of a client.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping

from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.service.events import Told

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PREFIX = "brain_serve_"
#: Upper bounds in seconds: an image takes a hundredth, a study of a thousand slices ten.
_BUCKETS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    120.0,
)
_HELP = {
    "requests_total": "Requests by route and status; status 499: the client left before the answer.",
    "answers_total": "Lines of answers: decisions, codes of errors, findings of series.",
    "body_bytes_total": "Bytes of bodies that were read completely.",
    "bugs_total": "Errors that are nobody's fault but ours.",
    "seconds": "Time by step: body, queue, total of a request; read, preprocess, inference of an image.",
    "build_info": "What answers; always 1.",
    "running": "Runs at work.",
    "waiting": "Requests that wait for a run.",
    "connections": "Open connections.",
    "held_bytes": "Bytes of bodies and unsent answers in memory.",
    "ready": "1 while requests are taken.",
}


class _Histogram:
    def __init__(self) -> None:
        self.counts = [0] * (len(_BUCKETS) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(_BUCKETS, seconds)] += 1
        self.sum += seconds


class Metrics:
    """Counts on the event loop's thread.

    Args:
        build: What ``build_info`` says.
    """

    def __init__(self, build: Mapping[str, str]) -> None:
        self._build = dict(build)
        self._requests: Counter[tuple[str, int]] = Counter()
        self._answers: Counter[str] = Counter()
        self._seconds: dict[str, _Histogram] = {}
        self._body_bytes = self._bugs = 0

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request that is over."""
        self._requests[route, status] += 1
        if route == "classify":
            self.step("total", seconds)

    def body(self, size: int, seconds: float) -> None:
        """Count a body that was read."""
        self._body_bytes += size
        self.step("body", seconds)

    def answer(self, told: Told) -> None:
        """Count a line that is sent."""
        self._answers[told.outcome] += 1
        for step, ms in told.timings_ms.items():
            self.step(step, ms / 1000.0)

    def bug(self) -> None:
        """Count an error that should not be."""
        self._bugs += 1

    def step(self, name: str, seconds: float) -> None:
        """Count how long a step took."""
        if name not in self._seconds:
            self._seconds[name] = _Histogram()
        self._seconds[name].observe(seconds)

    def text(self, gauges: Mapping[str, float]) -> str:
        """Return the page that Prometheus reads.

        Args:
            gauges: What is so now, by name.
        """
        return "\n".join([f"# {RESEARCH_USE_ONLY}", *self._lines(gauges)]) + "\n"

    def _lines(self, gauges: Mapping[str, float]) -> Iterator[str]:
        requests = {
            _labels(route=route, code=str(status)): count
            for (route, status), count in sorted(self._requests.items())
        }
        answers = {_labels(outcome=name): count for name, count in sorted(self._answers.items())}
        yield from _family("requests_total", "counter", requests)
        yield from _family("answers_total", "counter", answers)
        yield from _family("body_bytes_total", "counter", {"": self._body_bytes})
        yield from _family("bugs_total", "counter", {"": self._bugs})
        yield from _family("build_info", "gauge", {_labels(**self._build): 1})
        for name, value in gauges.items():
            yield from _family(name, "gauge", {"": value})
        yield from _family("seconds", "histogram", {})
        for step, histogram in sorted(self._seconds.items()):
            yield from _histogram(step, histogram)


def _family(name: str, kind: str, samples: Mapping[str, float]) -> Iterator[str]:
    yield f"# HELP {_PREFIX}{name} {_HELP[name]}"
    yield f"# TYPE {_PREFIX}{name} {kind}"
    for labels, value in samples.items():
        yield f"{_PREFIX}{name}{labels} {value:.17g}"


def _histogram(step: str, histogram: _Histogram) -> Iterator[str]:
    total = 0
    for bound, count in zip([*map(str, _BUCKETS), "+Inf"], histogram.counts, strict=True):
        total += count
        yield f"{_PREFIX}seconds_bucket{_labels(step=step, le=bound)} {total}"
    yield f"{_PREFIX}seconds_sum{_labels(step=step)} {histogram.sum:.17g}"
    yield f"{_PREFIX}seconds_count{_labels(step=step)} {total}"


def _labels(**labels: str) -> str:
    escaped = {
        name: value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
        for name, value in labels.items()
    }
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped.items()) + "}"
