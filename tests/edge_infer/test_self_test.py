"""A bundle that does not give its known answers on this machine is refused, whatever its digests say."""

from collections.abc import Callable, Sequence
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from tiny_bundle import as_schema_1, bundle_files, tiny_model, tiny_weight

from edge_infer import classifier as classifier_module
from edge_infer.bundle import load_bundle
from edge_infer.classifier import Classifier
from edge_infer.cli import main
from edge_infer.contract import LABELS
from edge_infer.errors import InferenceFailed, SelfTestFailed, TimedOut
from edge_infer.self_test import Replay, SelfTestReport, replay
from edge_infer.session import open_session

MakeBundle = Callable[..., Path]
Outputs = tuple[NDArray[np.float32], ...]


class Drifting:
    """A session whose outputs are not what they were."""

    def __init__(self, path: Path, change: Callable[[Outputs], Outputs]) -> None:
        self._session = open_session(load_bundle(path).model_bytes, num_threads=1)
        self._change = change
        self.runs = 0

    def run(self, pixel_values: NDArray[np.float32], *, timeout_s: float) -> Outputs:
        self.runs += 1
        return self._change(self._session.run(pixel_values, timeout_s=timeout_s))


def moved(by: float) -> Callable[[Outputs], Outputs]:
    return lambda outputs: (outputs[0] + np.float32(by), *outputs[1:])


def answering(*logits: float) -> Callable[[Outputs], Outputs]:
    return lambda outputs: (np.array([logits], np.float32), *outputs[1:])


def known(label: str) -> dict[str, Any]:
    """A golden answer: 2 for one class, 0 for the others."""
    logits = [2.0 * (each == label) for each in LABELS]
    return {"label": label, "logits": logits, "fp32_logits": logits}


def altered(make_bundle: MakeBundle, weight: NDArray[np.float32]) -> Path:
    """A bundle whose digests are right and whose weights are not those that gave the answers."""
    return make_bundle(files=bundle_files(model=tiny_model(weight=weight).SerializeToString()))


def ask(path: Path, change: Callable[[Outputs], Outputs]) -> Any:
    return replay(load_bundle(path), Drifting(path, change))  # type: ignore[arg-type]


def test_the_known_answers_pass(bundle_path: Path) -> None:
    report = ask(bundle_path, moved(0))
    assert report.failures == ()
    assert len(report.replays) == 16
    assert report.largest_drift < 1e-5
    report.require_passed()


@pytest.mark.parametrize("extent", ["quick", "full"])
def test_altered_weights_with_right_digests_are_refused_at_load(
    make_bundle: MakeBundle, extent: str
) -> None:
    path = altered(make_bundle, tiny_weight()[::-1].copy())
    with pytest.raises(SelfTestFailed, match=r"golden image \d+: is \w+ here, expected") as error:
        Classifier.load(path, self_test=extent)  # type: ignore[arg-type]
    assert error.value.exit_code == 84
    assert "brain-doctor" in error.value.hint
    Classifier.load(path, self_test="off")


def test_one_altered_weight_is_enough(make_bundle: MakeBundle) -> None:
    weight = tiny_weight()
    weight[:, 0, 0, 0] += 0.05  # the same for all classes: no class changes, logits do
    with pytest.raises(SelfTestFailed, match="logits differ by"):
        Classifier.load(altered(make_bundle, weight))


def test_a_drift_is_judged_by_the_bundles_tolerance(bundle_path: Path) -> None:
    assert ask(bundle_path, moved(0.9e-3)).failures == ()
    report = ask(bundle_path, moved(1.2e-3))
    assert len(report.failures) == 16
    with pytest.raises(
        SelfTestFailed, match=r"16 of 16 .* differ by 0\.0012, expected at most 0\.001"
    ):
        report.require_passed()


def test_a_drift_of_the_tolerance_is_allowed_and_the_next_larger_number_is_not(
    make_bundle: MakeBundle,
) -> None:
    path = make_bundle(golden=[known("glioma")], self_test={"tolerance_logits": 0.5})
    right = Replay(number=1, expected="glioma", found="glioma", drift=0.5, failure="")
    report = ask(path, answering(2.5, 0, 0, 0))
    assert report == SelfTestReport(replays=(right,), tolerance=0.5)
    above = float(np.nextafter(np.float32(2.5), np.float32(3)))
    assert ask(path, answering(above, 0, 0, 0)).failures == (
        "golden image 1: logits differ by 0.5, expected at most 0.5",
    )


def test_a_report_says_of_each_image_what_was_expected_and_found(make_bundle: MakeBundle) -> None:
    path = make_bundle(golden=[known(label) for label in ("glioma", "meningioma", "pituitary")])
    report = ask(path, answering(2, 0, 0, 0))
    found = [(each.number, each.expected, each.found, each.drift) for each in report.replays]
    assert found == [
        (1, "glioma", "glioma", 0.0),
        (2, "meningioma", "glioma", 2.0),
        (3, "pituitary", "glioma", 2.0),
    ]
    assert report.largest_drift == 2.0
    first, second = report.failures
    assert first == "golden image 2: is glioma here, expected meningioma (logits differ by 2)"
    assert second.startswith("golden image 3: is glioma here, expected pituitary")
    with pytest.raises(SelfTestFailed) as caught:
        report.require_passed()
    assert caught.value.message == f"2 of 3 golden images failed on this machine; {first}"


def test_a_flip_is_refused_even_within_the_tolerance(make_bundle: MakeBundle) -> None:
    path = make_bundle(self_test={"tolerance_logits": 1e6})
    report = ask(path, lambda outputs: (-outputs[0], *outputs[1:]))
    assert len(report.failures) == 16


@pytest.mark.parametrize("output", [0, 2])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(bundle_path: Path, output: int, value: float) -> None:
    def spoil(outputs: Outputs) -> Outputs:
        outputs[output][..., 1] = value
        return outputs

    report = ask(bundle_path, spoil)
    assert len(report.failures) == 16
    assert report.largest_drift == np.inf
    failure = "golden image 1: model gave NaN or infinity, so there is no answer"
    assert report.replays[0] == Replay(
        number=1, expected=report.replays[0].expected, found="", drift=np.inf, failure=failure
    )


def test_nan_weights_are_refused_at_load(make_bundle: MakeBundle) -> None:
    with pytest.raises(SelfTestFailed, match="NaN"):
        Classifier.load(altered(make_bundle, np.full_like(tiny_weight(), np.nan)))


def test_a_runtime_that_fails_fails_the_test(bundle_path: Path) -> None:
    def fail(_: Outputs) -> Outputs:
        raise InferenceFailed("out of memory")

    assert ask(bundle_path, fail).failures[0] == "golden image 1: out of memory"


def test_a_timeout_ends_the_test_at_once(bundle_path: Path) -> None:
    def hang(_: Outputs) -> Outputs:
        raise TimedOut("took longer than two minutes")

    session = Drifting(bundle_path, hang)
    with pytest.raises(TimedOut):
        replay(load_bundle(bundle_path), session)  # type: ignore[arg-type]
    assert session.runs == 1


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["glioma", "glioma", "meningioma", "pituitary"], [1, 3]),
        (["glioma", "glioma", "glioma"], [1, 2]),
        (["glioma"], [1]),
    ],
)
def test_quick_takes_the_first_images_of_two_classes_where_there_are_two(
    make_bundle: MakeBundle, labels: Sequence[str], expected: Sequence[int]
) -> None:
    path = make_bundle(golden=[known(label) for label in labels])
    session = Drifting(path, moved(0))
    quick = replay(load_bundle(path), session, "quick")  # type: ignore[arg-type]
    assert [each.number for each in quick.replays] == expected
    full = replay(load_bundle(path), session, "full")  # type: ignore[arg-type]
    assert [each.number for each in full.replays] == [*range(1, len(labels) + 1)]


def test_progress_is_told_after_each_image(make_bundle: MakeBundle) -> None:
    path = make_bundle(golden=[known("glioma")] * 3)
    told: list[tuple[int, int, int]] = []
    session = Drifting(path, moved(0))
    replay(
        load_bundle(path),
        session,  # type: ignore[arg-type]
        tick=lambda done, total: told.append((done, total, session.runs)),
    )
    assert told == [(1, 3, 1), (2, 3, 2), (3, 3, 3)]


def test_without_images_nothing_is_asked_and_nothing_fails(own_bundle: Path) -> None:
    session = Drifting(own_bundle, moved(1))
    nothing = SelfTestReport(replays=(), tolerance=0.0)
    assert replay(load_bundle(own_bundle), session, "off") == nothing  # type: ignore[arg-type]
    as_schema_1(own_bundle)
    assert replay(load_bundle(own_bundle), session, "full") == nothing  # type: ignore[arg-type]
    assert session.runs == 0
    assert (nothing.largest_drift, nothing.failures) == (0.0, ())
    nothing.require_passed()


def test_a_report_cannot_be_changed_and_its_fields_are_named() -> None:
    one = Replay(number=1, expected="glioma", found="", drift=np.inf, failure="out of memory")
    report = SelfTestReport(replays=(one,), tolerance=0.5)
    with pytest.raises(FrozenInstanceError):
        one.failure = ""  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        report.replays = ()  # type: ignore[misc]
    with pytest.raises(TypeError, match="positional"):
        Replay(1, "glioma", "", np.inf, "out of memory")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="positional"):
        SelfTestReport((one,), 0.5)  # type: ignore[call-arg]


def test_quick_takes_two_images_of_two_classes(bundle_path: Path) -> None:
    session = Drifting(bundle_path, moved(0))
    report = replay(load_bundle(bundle_path), session, "quick")  # type: ignore[arg-type]
    assert session.runs == 2
    assert len({each.expected for each in report.replays}) == 2
    assert replay(load_bundle(bundle_path), session, "off").replays == ()  # type: ignore[arg-type]
    assert session.runs == 2


def test_an_unknown_extent_is_a_bug_of_the_caller(bundle_path: Path) -> None:
    with pytest.raises(ValueError, match="quick, full or off"):
        Classifier.load(bundle_path, self_test="some")  # type: ignore[arg-type]


def test_a_forked_childs_session_is_not_tested_again(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = Classifier.load(bundle_path)
    monkeypatch.setattr(
        classifier_module, "require_golden_answers", lambda *_: pytest.fail("tested again")
    )
    parents = classifier.session
    monkeypatch.setattr(parents, "pid", -1)  # as a child sees it
    assert classifier.session is not parents


def test_the_extent_travels_to_another_process(make_bundle: MakeBundle) -> None:
    path = altered(make_bundle, tiny_weight()[::-1].copy())
    state = Classifier.load(path, self_test="off").__getstate__()
    Classifier.__new__(Classifier).__setstate__(state)
    state["options"]["self_test"] = "quick"
    with pytest.raises(SelfTestFailed):
        Classifier.__new__(Classifier).__setstate__(state)


def test_the_command_ends_with_84_and_gives_no_label(
    make_bundle: MakeBundle, scan_path: Path
) -> None:
    path = altered(make_bundle, tiny_weight()[::-1].copy())
    arguments = [str(scan_path), "--bundle", str(path)]
    refused = CliRunner().invoke(main, arguments)
    assert (refused.exit_code, refused.stdout) == (84, "")
    assert "golden image" in refused.stderr
    assert CliRunner().invoke(main, [*arguments, "--self-test", "off"]).exit_code == 0
