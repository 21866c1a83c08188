import itertools
import multiprocessing
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper
from tiny_bundle import (
    GOLDEN,
    bundle_files,
    files_with_scope,
    manifest_body,
    scan,
    tiny_model,
    tiny_trust,
)

from edge_infer.bundle import load_bundle, write_bundle
from edge_infer.classifier import Classifier
from edge_infer.decision import SCOPE_MODES
from edge_infer.errors import (
    EXIT_ABSTAINED,
    EXIT_BATCH_WITH_FAILURES,
    BrainError,
    BundleIncompatible,
    BundleIntegrity,
    CorruptImage,
    InferenceFailed,
    InputOverLimit,
    MissingDependency,
    NonFiniteOutput,
    ProviderUnavailable,
    TimedOut,
)
from edge_infer.prediction import softmax
from edge_infer.preprocessing import preprocess, to_pixel_values
from edge_infer.reasons import Reason

MakeBundle = Callable[..., Path]


@pytest.fixture(scope="module")
def classifier(bundle_path: Path) -> Classifier:
    return Classifier.load(bundle_path, num_threads=1)


def test_the_answer_is_what_the_graph_computes_by_hand(classifier: Classifier) -> None:
    prediction = classifier.predict(scan(5))
    pixels = preprocess(scan(5), classifier.bundle.preprocessor)[0]
    weight = np.random.default_rng(7).normal(0, 0.3, (4, 3, 8, 8)).astype(np.float32)
    cells = pixels.reshape(3, 4, 8, 4, 8)  # channel, row, y, column, x
    evidence = np.einsum("crysx,kcyx->krs", cells, weight)
    np.testing.assert_allclose(prediction.evidence, evidence, rtol=0, atol=1e-4)
    logits = evidence.mean(axis=(1, 2))
    np.testing.assert_allclose(list(prediction.logits.values()), logits, rtol=0, atol=1e-4)
    exponentials = np.exp(logits / 2.0)  # the bundle's temperature
    expected = exponentials / exponentials.sum()
    np.testing.assert_allclose(list(prediction.probabilities.values()), expected, atol=1e-5)
    assert prediction.label == classifier.bundle.labels[int(expected.argmax())]
    assert prediction.score == max(prediction.probabilities.values())
    assert abs(sum(prediction.probabilities.values()) - 1) < 1e-12
    assert prediction.evidence.dtype == np.float32
    assert set(prediction.timings_ms) == {"read", "preprocess", "inference"}
    assert prediction.provider == "CPUExecutionProvider"
    assert prediction.model.name == "tiny"


def test_softmax_neither_overflows_nor_changes_the_order() -> None:
    logits = np.array([1000.0, -1000.0, 999.0], dtype=np.float32)
    for temperature in (0.1, 1.0, 50.0):
        probabilities = softmax(logits, temperature)
        assert np.isfinite(probabilities).all()
        assert probabilities.argmax() == 0


def test_an_image_alone_equals_the_same_in_a_batch(classifier: Classifier) -> None:
    scans = [scan(seed) for seed in range(7)]
    alone = [classifier.predict(image) for image in scans]
    assert list(classifier.predict_many(scans)) == alone  # batch size 1: the same bits
    for batch_size in (3, 8):
        for one, other in zip(
            alone, classifier.predict_many(scans, batch_size=batch_size), strict=True
        ):
            assert one.label == other.label
            # another order of sums in onnxruntime
            np.testing.assert_allclose(one.evidence, other.evidence, rtol=0, atol=1e-5)
            np.testing.assert_allclose(
                list(one.logits.values()), list(other.logits.values()), rtol=0, atol=1e-5
            )


def test_predictions_are_made_lazily(classifier: Classifier) -> None:
    taken = 0

    def endless() -> Iterator[object]:
        nonlocal taken
        while True:
            taken += 1
            yield scan(taken)

    answers = classifier.predict_many(endless(), batch_size=2)  # type: ignore[arg-type]
    next(answers)
    assert taken == 2


def test_many_stops_at_the_first_error_and_each_goes_on(classifier: Classifier) -> None:
    sources = [scan(1), b"no image", scan(2)]
    answers = classifier.predict_many(sources)
    next(answers)
    with pytest.raises(CorruptImage):
        next(answers)
    for batch_size in (1, 2, 3):
        outcomes = list(classifier.predict_each(sources, batch_size=batch_size))
        assert [outcome.error is None for outcome in outcomes] == [True, False, True]
        assert [outcome.prediction is None for outcome in outcomes] == [False, True, False]
        assert outcomes[1].source == b"no image"
        assert outcomes[2].prediction == classifier.predict(scan(2))


def test_sixteen_threads_on_one_session_give_the_serial_answers(classifier: Classifier) -> None:
    scans = [scan(seed) for seed in range(40)] * 4
    serial = [classifier.predict(image) for image in scans]
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(classifier.predict, scans)) == serial


def test_nan_weights_give_an_error_and_no_label(make_bundle: MakeBundle) -> None:
    weight = np.full((4, 3, 8, 8), np.nan, dtype=np.float32)
    files = bundle_files(model=tiny_model(weight=weight).SerializeToString())
    spoiled = Classifier.load(make_bundle(files=files), self_test="off")
    with pytest.raises(NonFiniteOutput) as caught:
        spoiled.predict(scan())
    assert caught.value.exit_code == 83
    outcomes = list(spoiled.predict_each([scan(), scan()], batch_size=2))
    assert all(isinstance(outcome.error, NonFiniteOutput) for outcome in outcomes)


def test_a_graph_of_another_size_fails_as_inference(make_bundle: MakeBundle) -> None:
    spoiled = Classifier.load(make_bundle(files=bundle_files(height=64)), self_test="off")
    with pytest.raises(InferenceFailed) as caught:
        spoiled.predict(scan())
    assert caught.value.exit_code == 80


def test_an_opset_onnxruntime_does_not_know_is_incompatible(make_bundle: MakeBundle) -> None:
    files = bundle_files(model=tiny_model(opset=99).SerializeToString())
    with pytest.raises(BundleIncompatible, match="onnxruntime") as caught:
        Classifier.load(make_bundle(files=files))
    assert caught.value.exit_code == 32


@pytest.mark.parametrize(
    "providers", [["NopeExecutionProvider"], ["CUDAExecutionProvider", "CPUExecutionProvider"], []]
)
def test_an_absent_provider_is_an_error_and_no_fallback(
    bundle_path: Path, providers: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ProviderUnavailable, match="CPUExecutionProvider") as caught:
        Classifier.load(bundle_path, providers=providers)
    assert caught.value.exit_code == 81
    assert capfd.readouterr().out == ""


def test_cuda_is_refused_where_there_is_none_and_auto_takes_the_cpu(bundle_path: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine's onnxruntime has CUDA")
    with pytest.raises(ProviderUnavailable, match="CUDAExecutionProvider"):
        Classifier.load(bundle_path, device="cuda")
    automatic = Classifier.load(bundle_path, device="auto")
    assert automatic.predict(scan()).provider == "CPUExecutionProvider"


def test_a_provider_that_does_not_come_up_is_an_error(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    claimed = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: claimed)
    with pytest.raises(ProviderUnavailable, match="did not come up"):
        Classifier.load(bundle_path, device="cuda")
    assert Classifier.load(bundle_path, device="auto").session.provider == "CPUExecutionProvider"


@pytest.mark.parametrize("options", [{"device": "tpu"}, {"num_threads": 0}, {"scope": "maybe"}])
def test_unknown_options_are_a_bug_of_the_caller(
    bundle_path: Path, options: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match="expected"):
        Classifier.load(bundle_path, **options)  # type: ignore[arg-type]


def test_one_image_is_not_taken_for_many(classifier: Classifier, scan_path: Path) -> None:
    with scan_path.open("rb") as file:
        for single in (str(scan_path), scan_path, scan_path.read_bytes(), file):
            for method in (classifier.predict_many, classifier.predict_each):
                with pytest.raises(TypeError, match="give a list"):
                    method(single)  # type: ignore[operator]


def test_an_outcome_shows_the_name_of_its_source_and_not_its_content(
    classifier: Classifier,
) -> None:
    (outcome,) = classifier.predict_each([b"DOE^JOHN"])
    assert "source='<bytes>'" in repr(outcome)
    assert "DOE" not in repr(outcome)


@pytest.mark.parametrize("step", ["open_source", "resize_grey", "to_pixel_values", "doubts_about"])
@pytest.mark.parametrize("timeout_s", [None, 60.0])
def test_too_little_memory_is_the_error_of_one_image(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, timeout_s: float | None
) -> None:
    classifier = Classifier.load(bundle_path, timeout_s=timeout_s)
    module = sys.modules[Classifier.__module__]
    original, calls = getattr(module, step), itertools.count(1)

    def greedy(*arguments: Any, **options: Any) -> Any:
        if next(calls) == 2:
            raise MemoryError
        return original(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(module, step, greedy)
        first, second, third = classifier.predict_each([scan()] * 3, batch_size=3)
    assert isinstance(second.error, InputOverLimit)
    assert second.error.message == "<image>: there is not enough memory to read it"
    assert first.prediction is not None
    assert third.prediction is not None


def test_without_memory_for_a_batch_its_images_are_asked_one_by_one(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, original = [scan()] * 3, np.concatenate

    def greedy(arrays: list[Any]) -> Any:
        if len(arrays) > 1 and arrays[0].ndim == 4:  # images, not lines of one
            raise MemoryError
        return original(arrays)

    with monkeypatch.context() as patched:
        patched.setattr(np, "concatenate", greedy)
        outcomes = list(classifier.predict_each(images, batch_size=3))
    assert all(outcome.prediction is not None for outcome in outcomes)


def test_no_batch_is_a_bug_of_the_caller(classifier: Classifier) -> None:
    with pytest.raises(ValueError, match="batch_size"):
        next(classifier.predict_many([scan()], batch_size=0))


FORKING = """
import os, sys
import numpy as np
from edge_infer import Classifier
classifier = Classifier.load(sys.argv[1], num_threads=int(sys.argv[2]))
image = np.arange(64 * 48, dtype=np.uint16).reshape(48, 64)
expected = classifier.predict(image)
child = os.fork()
if child == 0:
    if sys.argv[3] == "use":
        if classifier.predict(image) != expected:
            sys.exit(9)
        grandchild = os.fork()
        if grandchild == 0:
            sys.exit(0 if classifier.predict(image) == expected else 9)
        if os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]) != 0:
            sys.exit(8)
    elif sys.argv[3] == "delete":
        del classifier
    sys.exit(0)  # the normal way out, through the destruction of everything
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.exit(status if status else 0 if classifier.predict(image) == expected else 7)
"""


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("what", ["use", "delete", "leave"])
def test_a_forked_child_answers_and_ends_well(bundle_path: Path, threads: int, what: str) -> None:
    command = [sys.executable, "-c", FORKING, str(bundle_path), str(threads), what]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")


def test_a_spawned_child_loads_the_same_bundle_again(classifier: Classifier) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        answers = pool.map(classifier.predict, [np.asarray(scan(seed)) for seed in (1, 2)])
    assert answers == [classifier.predict(np.asarray(scan(seed))) for seed in (1, 2)]


def test_a_classifier_does_not_travel_to_a_changed_bundle(own_bundle: Path) -> None:
    state = Classifier.load(own_bundle).__getstate__()
    state["manifest_sha256"] = "0" * 64
    with pytest.raises(BundleIntegrity, match="changed"):
        Classifier.__new__(Classifier).__setstate__(state)


def test_a_small_and_a_narrow_image_carry_a_warning(classifier: Classifier) -> None:
    assert classifier.predict(scan()).warnings == ()
    assert "narrow" not in classifier.predict(scan(size=(16, 16))).warnings
    assert len(classifier.predict(scan(size=(16, 15 + 1))).warnings) == 0
    assert "shape" in classifier.predict(scan(size=(200, 40))).warnings[0]


def test_an_image_in_scope_is_accepted_and_another_is_not(trusting_path: Path) -> None:
    classifier = Classifier.load(trusting_path)
    accepted, refused = classifier.predict(GOLDEN[1]), classifier.predict(scan())
    assert (accepted.decision, accepted.reasons) == ("accept", ())
    assert accepted.prediction_set == ("meningioma",)
    assert accepted.scope_score is not None
    assert accepted.scope_score < accepted.scope_threshold == 1.0
    assert refused.decision == "abstain"
    assert Reason.OUT_OF_SCOPE in refused.reasons
    assert refused.probabilities  # they are shown, as not accepted
    assert not refused.is_accepted
    assert classifier.trust == classifier.bundle.trust


@pytest.mark.parametrize(
    ("mode", "decision", "is_listed", "is_scored"),
    [
        ("enforce", "abstain", True, True),
        ("report", "accept", True, True),
        ("off", "accept", False, False),
    ],
)
def test_what_each_mode_makes_of_an_image_out_of_scope(
    trusting_path: Path, mode: Any, decision: str, is_listed: bool, is_scored: bool
) -> None:
    classifier = Classifier.load(trusting_path, scope=mode)
    assert classifier.scope == mode
    prediction = classifier.predict(scan())
    assert prediction.decision == decision
    assert (Reason.OUT_OF_SCOPE in prediction.reasons) == is_listed
    assert (prediction.scope_score is not None) == is_scored
    assert (prediction.scope_threshold is not None) == is_scored
    assert classifier.predict(GOLDEN[0]).decision == "accept"


def test_a_batch_is_decided_as_each_of_its_images(trusting_path: Path) -> None:
    classifier = Classifier.load(trusting_path)
    images = [GOLDEN[0], scan(), GOLDEN[1], scan(1)]
    alone = [classifier.predict(image) for image in images]
    for batch_size in (1, 3):
        together = list(classifier.predict_many(images, batch_size=batch_size))
        assert [(each.decision, each.reasons) for each in together] == [
            (each.decision, each.reasons) for each in alone
        ]
    assert list(classifier.predict_many(images)) == alone


def test_the_mode_travels_to_another_process(trusting_path: Path) -> None:
    for mode in SCOPE_MODES:
        classifier = Classifier.load(trusting_path, scope=mode)
        twin = pickle.loads(pickle.dumps(classifier))  # noqa: S301 -- our own
        assert twin.scope == mode
        assert twin.predict(scan()) == classifier.predict(scan())
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        (sent,) = pool.map(classifier.predict, [np.asarray(scan())])
    assert sent == classifier.predict(np.asarray(scan()))


def test_a_bundle_without_trust_decides_by_doubts_alone(classifier: Classifier) -> None:
    prediction = classifier.predict(scan())
    assert (prediction.decision, prediction.reasons) == ("accept", ())
    assert (prediction.prediction_set, prediction.scope_score) == ((), None)
    assert classifier.trust is None
    pair = np.hstack([np.asarray(scan(size=(48, 48)))] * 3)
    assert classifier.predict(pair).reasons == (Reason.SEVERAL_SLICES,)


def test_a_graph_whose_embeddings_are_not_finite_gives_no_label(tmp_path: Path) -> None:
    """Its logits are, so only the scope check sees it."""
    graph = tiny_model()
    graph.graph.node[3].output[0] = "flat"
    graph.graph.node.append(helper.make_node("Log", ["flat"], ["embeddings"]))
    files = files_with_scope(model=graph.SerializeToString())
    write_bundle(tmp_path / "made", files, manifest_body(trust=tiny_trust()))
    with pytest.raises(NonFiniteOutput, match="embeddings"):
        Classifier.load(tmp_path / "made").predict(scan())
    assert Classifier.load(tmp_path / "made", scope="off").predict(scan()).label


def test_without_onnxruntime_the_error_names_the_extra(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependency, match=r"brain-edge\[cpu\]") as caught:
        Classifier.load(bundle_path)
    assert caught.value.exit_code == 87


def test_two_onnxruntimes_are_refused(
    bundle_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("onnxruntime-1.31.1", "onnxruntime_gpu-1.31.1"):
        (tmp_path / f"{name}.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InferenceFailed, match="uninstall onnxruntime onnxruntime-gpu"):
        Classifier.load(bundle_path)


def test_telemetry_is_off_when_onnxruntime_is_imported(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY")
    Classifier(load_bundle(bundle_path))
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"


def test_every_error_of_the_package_has_a_code_of_its_own() -> None:
    def leaves(kind: type[BrainError]) -> list[type[BrainError]]:
        below = kind.__subclasses__()
        return [leaf for each in below for leaf in leaves(each)] if below else [kind]

    kinds = [kind for kind in leaves(BrainError) if kind.__module__ == "edge_infer.errors"]
    codes = [kind.exit_code for kind in kinds]
    assert len(set(codes)) == len(codes) == len({kind.code for kind in kinds})
    assert not {0, 1, 2, EXIT_BATCH_WITH_FAILURES, EXIT_ABSTAINED, 130, 141, 143} & set(codes)


def test_a_classifier_with_another_time_limit_shares_the_session(
    bundle_path: Path, scan_path: Path
) -> None:
    classifier = Classifier.load(bundle_path)
    limited = classifier.with_timeout(1e-6)

    assert limited.session is classifier.session
    with pytest.raises(TimedOut):
        limited.predict(scan_path)
    assert (
        limited.with_timeout(None).predict(scan_path).logits == classifier.predict(scan_path).logits
    )
    with pytest.raises(ValueError, match="timeout_s"):
        classifier.with_timeout(0)


def test_predictions_hold_the_image_and_the_embedding_where_that_is_asked_for(
    bundle_path: Path, scan_path: Path
) -> None:
    classifier = Classifier.load(bundle_path)
    keeping = classifier.keeping(seen=True, embedding=True)
    plain, kept = (
        next(one.predict_many([scan_path, scan_path], batch_size=2))
        for one in (classifier, keeping)
    )

    assert keeping.session is classifier.session
    assert (plain.seen, plain.embedding) == (None, None)
    assert kept.embedding is not None
    assert kept.embedding.dtype == np.float32
    assert kept.embedding.base is None, "a view keeps the whole batch alive"
    assert kept.seen is not None
    assert np.array_equal(kept.seen, classifier.predict(scan_path).seen)
    pixel_values = to_pixel_values(kept.seen[None], classifier.bundle.preprocessor)
    assert np.allclose(kept.embedding, classifier.session.run(pixel_values)[1][0], atol=1e-5)
    assert kept == plain
    assert "embedding" not in repr(kept)
    copied = pickle.loads(pickle.dumps(kept))  # noqa: S301 -- our own
    assert (copied.seen, copied.embedding) == (None, None)
    sent = pickle.loads(pickle.dumps(keeping))  # noqa: S301 -- our own
    assert np.array_equal(sent.predict(scan_path).embedding, kept.embedding)
    assert classifier.keeping(embedding=True).predict(scan_path).seen is not None
