"""What Prometheus reads."""

import re

from service_contents import STUDY, png
from service_runs import Service, wait_until

SAMPLE = re.compile(
    r'^[a-z_]+(\{[a-z_0-9]+="[^"\\\n]*"(,[a-z_0-9]+="[^"\\\n]*")*\})? -?[0-9.e+-]+$'
)


def test_the_page_is_well_formed_and_counts(service: Service) -> None:
    before = service.metric('answers_total{outcome="accept"}')
    content = png()
    assert service.classify(content).json["decision"] == "accept"
    service.classify(STUDY)
    service.classify(b"words")
    service.ask("GET", "/nothing/of/that/name")
    response = service.ask("GET", "/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = response.body.decode().splitlines()
    assert "Research use only" in lines[0]
    samples = [line for line in lines if not line.startswith("#")]
    assert [line for line in samples if not SAMPLE.match(line)] == []
    types = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(types) == len(set(types))
    assert service.metric('answers_total{outcome="accept"}') > before
    assert service.metric('answers_total{outcome="corrupt"}') == 1
    assert service.metric('answers_total{outcome="series') == 1
    assert service.metric('requests_total{route="classify",code="422"}') == 1
    assert service.metric('requests_total{route="page",code="404"}') == 1
    assert service.metric("body_bytes_total") == len(content) + len(STUDY) + len(b"words")
    assert service.metric('seconds_count{step="inference"}') >= 1
    assert service.metric('seconds_bucket{step="total",le="+Inf"}') == 3
    assert service.metric('seconds_bucket{step="total",le="120.0"}') == 3
    assert service.metric('build_info{version="') == 1
    assert service.metric("ready") == 1


def test_gauges_return_to_zero(service: Service) -> None:
    for _ in range(5):
        service.classify(png())
    wait_until(lambda: service.metric("held_bytes") == 0)
    # The answer is out a moment before its thread is free.
    wait_until(lambda: service.metric("running") == service.metric("waiting") == 0)
    assert service.metric("connections") == 1  # this one
