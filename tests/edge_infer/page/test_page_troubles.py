"""What goes wrong is said, nothing is lost by it, and nobody's words become part of the page."""

from pathlib import Path

import pytest
from chromium import NAMES, PAGE, Tab, installed
from page_lines import answer, refused
from page_server import PageServer, Refusal
from page_tab import PageTab

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(installed() is None, reason=f"no browser: none of {', '.join(NAMES)}"),
]

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.jpg"))
STATES = "[...document.querySelectorAll('.job')].map(row => row.classList[1])"
SECRET = "-".join(["a", "secret"])
AGAIN = "document.querySelector('#token[open] p')?.textContent.includes('does not take') ?? false"
HOSTILE = "<img src=x onerror=alert(1)>\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe"


@pytest.fixture
def troubled(tab: Tab, server: PageServer) -> PageTab:
    """The page, where the browser may log what the server refuses."""
    opened = PageTab(tab)
    opened.open(server.url)
    return opened


def test_a_token_is_asked_for_used_and_never_stored(troubled: PageTab, server: PageServer) -> None:
    page = troubled
    server.token = SECRET
    page.open(server.url)
    assert "asks for a token" in page.text("#token")
    page.type("wrong")
    page.press("Enter")
    page.wait(AGAIN)
    page.type(SECRET)
    page.press("Enter")
    page.wait("document.getElementById('model').textContent")
    page.drop(EXAMPLES[:1])
    assert page.wait_for_jobs(1) == ["done"]
    kept = page.value(
        "JSON.stringify([localStorage, sessionStorage, document.cookie, location.href])"
    )
    assert SECRET not in kept
    assert SECRET not in page.value("document.documentElement.outerHTML")
    assert page.value("document.querySelector('#token input').value") == ""


def test_a_token_that_ends_is_asked_for_and_the_work_goes_on(
    troubled: PageTab, server: PageServer
) -> None:
    page = troubled
    server.token = SECRET
    page.drop(EXAMPLES[:2])
    page.wait("document.querySelector('#token').open")
    assert page.value(STATES) == ["failed", "waiting"]
    page.type(SECRET)
    page.press("Enter")
    assert page.wait_for_jobs(2) == ["done", "done"]


def test_a_busy_service_is_asked_again_when_it_says(troubled: PageTab, server: PageServer) -> None:
    busy = Refusal(503, "busy", "queue is full", {"Retry-After": "1"})
    server.plan.extend([busy, busy])
    troubled.drop(EXAMPLES[:1])
    troubled.wait("document.querySelector('#jobs').innerText.includes('busy: trying again in 1 s')")
    assert troubled.wait_for_jobs(1) == ["done"]
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (Refusal(413, is_json=False), "larger than the service takes"),
        (Refusal(403, "forbidden", "no such origin"), "no such origin"),
        (Refusal(418, is_json=False), "status 418"),
        (Refusal(504, "timed_out"), "in time"),
    ],
    ids=["too large", "forbidden", "unknown", "slow"],
)
def test_a_refusal_is_said_and_can_be_tried_again(
    troubled: PageTab, server: PageServer, refusal: Refusal, words: str
) -> None:
    server.plan.append(refusal)
    troubled.drop(EXAMPLES[:2])
    assert troubled.wait_for_jobs(2) == ["failed", "done"]
    troubled.click(".entry", text=EXAMPLES[0].name)
    assert words in troubled.text("#result .verdict")
    troubled.click("#result button", text="Try again")
    assert troubled.wait_for_jobs(2) == ["done", "done"]


def test_what_is_too_large_is_not_even_sent(troubled: PageTab, server: PageServer) -> None:
    server.facts = {"limits": {"image_bytes": 1000, "body_bytes": 1000}}
    troubled.open(server.url)
    troubled.drop(EXAMPLES[:1])
    assert troubled.wait_for_jobs(1) == ["failed"]
    assert "the service takes at most 0.0 MiB" in troubled.text("#result")
    assert server.asked == []


@pytest.mark.parametrize("fault", ["cut", "hang up"])
def test_a_lost_connection_is_said(troubled: PageTab, server: PageServer, fault: str) -> None:
    server.plan.extend(
        [fault] * (1 if fault == "cut" else 12)
    )  # the browser tries again by itself, too
    troubled.drop(EXAMPLES[:1])
    assert troubled.wait_for_jobs(1) == ["failed"]
    assert "connection to the service was lost" in troubled.text("#result")
    assert "brain-serve" in troubled.text("#result")
    server.plan.clear()
    troubled.click("button.icon[title=Retry]")
    assert troubled.wait_for_jobs(1) == ["done"]


def test_an_answer_of_another_model_is_not_read_with_the_words_of_the_first(
    page: PageTab, server: PageServer
) -> None:
    server.lines, server.keeps_model = [answer({"a": 0.9, "b": 0.1})], True
    page.drop(EXAMPLES[:1])
    assert page.wait_for_jobs(1) == ["failed"]
    assert "another model" in page.text("#result")
    assert "reload the page" in page.text("#result")
    assert page.value("document.querySelector('#save-lines').hidden")


def test_of_an_answer_that_broke_off_nothing_is_saved_as_whole(
    troubled: PageTab, server: PageServer
) -> None:
    hidden = "['#save-lines', '#save-all'].map(one => document.querySelector(one).hidden)"
    server.lines = [answer({"a": 0.9, "b": 0.1}), answer({"a": 0.1, "b": 0.9})]
    server.plan.append("cut")
    troubled.drop(EXAMPLES[:1])
    assert troubled.wait_for_jobs(1) == ["failed"]
    assert troubled.value(hidden) == [True, True], "there is nothing whole to save"
    troubled.click("button.icon[title=Retry]")
    assert troubled.wait_for_jobs(1) == ["done"]
    assert troubled.value(hidden) == [False, False]


def test_what_runs_and_what_waits_is_cancelled_and_the_rest_goes_on(
    page: PageTab, server: PageServer
) -> None:
    server.may_answer.clear()
    page.drop(EXAMPLES[:3])
    page.wait(f"({STATES}).join() === 'running,waiting,waiting'")
    for name in (EXAMPLES[0].name, EXAMPLES[1].name):
        page.click(f"button[aria-label='Cancel {name}']")
    server.may_answer.set()
    assert page.wait_for_jobs(3) == ["cancelled", "cancelled", "done"]
    page.click(f"button[aria-label='Retry {EXAMPLES[1].name}']")
    assert page.wait_for_jobs(3) == ["cancelled", "done", "done"]
    page.click("#clear")
    page.wait("document.body.classList.contains('empty')")


def test_lines_are_shown_as_they_arrive(page: PageTab, server: PageServer) -> None:
    server.seconds_a_line = 0.3
    server.lines = [
        {"kind": "progress", "done": 3, "total": 7},
        answer({"a": 0.9, "b": 0.1}),
        answer({"a": 0.1, "b": 0.9}),
    ]
    page.drop(EXAMPLES[:1])
    page.wait("document.querySelector('#jobs').innerText.includes('3 of 7')")
    assert page.value("document.querySelector('progress').value") == 3
    page.wait(
        "document.querySelectorAll('.entry').length === 1 && document.querySelector('progress') !== null"
    )
    page.wait_for_jobs(1)
    assert page.value("document.querySelectorAll('.entry').length") == 2


def test_a_line_with_an_error_ends_the_stream_with_its_words(
    page: PageTab, server: PageServer
) -> None:
    error = {"code": "timed_out", "message": "no answer within 2 s", "hint": "send less"}
    server.lines = [answer({"a": 0.9, "b": 0.1}), {"error": error, "request_id": "1"}]
    page.drop(EXAMPLES[:1])
    assert page.wait_for_jobs(1) == ["failed"]
    assert page.value("document.querySelectorAll('.entry').length") == 2, "what was answered stays"
    page.click(".entry", text="No answer")
    assert "no answer within 2 s" in page.text("#result")


def test_hostile_names_are_only_texts(page: PageTab, server: PageServer, tmp_path: Path) -> None:
    server.lines = [answer({HOSTILE: 0.9, "b": 0.1}, warnings=[HOSTILE]), refused(HOSTILE)]
    path = tmp_path / f"{HOSTILE.replace('/', '')}.png"
    path.write_bytes(b"x")
    page.drop([path])
    page.wait_for_jobs(1)
    for place in range(2):
        page.value(f"document.querySelectorAll('.entry')[{place}].click(), null")
        assert page.value("document.querySelectorAll('img, script:not([src])').length") == 0
        text = page.value("document.body.textContent")
        assert "<img src=x" in text
        assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in page.text("#result"), (
            "nothing turns the direction"
        )
    page.click("button", text="All as JSON")
    page.wait_for_file(tmp_path / "brain-edge-answers.jsonl")


def test_a_hundred_classes_are_all_there(page: PageTab, server: PageServer) -> None:
    labels = tuple(f"class {number:03d} {'long' * 8}" for number in range(100))
    server.lines = [answer(dict.fromkeys(labels[1:], 0.1 / 99) | {labels[0]: 0.9})]
    server.facts = {"labels": list(labels), "negative": None, "trust": None}
    page.open(server.url, width=390)
    page.drop(EXAMPLES[:1], x=100)
    page.wait_for_jobs(1)
    assert page.value("document.querySelectorAll('.bars li').length") == 100
    assert "90 less likely classes" in page.text("#result")
    assert "It is not calibrated" in page.text(".nearest")
    assert page.value(PAGE) == [390, 390]


def test_a_service_that_is_away_is_tried_again(troubled: PageTab, server: PageServer) -> None:
    page = troubled
    page.tab.send("Network.setBlockedURLs", urls=["*/v1/*"])
    try:
        page.open(server.url)
        assert "connection to the service was lost" in page.text("#trouble")
        page.drop(EXAMPLES[:1])
        page.wait(f"({STATES}).join() === 'waiting'")
    finally:
        page.tab.send("Network.setBlockedURLs", urls=[])
    page.click("#again")
    assert page.wait_for_jobs(1) == ["done"]


def test_the_browser_refuses_what_the_policy_does_not_allow_and_the_tests_see_it(
    troubled: PageTab,
) -> None:
    assert troubled.faults() == []
    troubled.value("document.body.append(Object.assign(document.createElement('style'))), null")
    troubled.value("document.querySelector('style').textContent = 'body { color: red }', null")
    troubled.wait("getComputedStyle(document.body).color !== 'rgb(255, 0, 0)'")
    assert any("Content Security Policy" in fault for fault in troubled.faults())
