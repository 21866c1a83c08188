"""The score of the scope check, and what is refused before it is computed."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_bundle import (
    GOLDEN,
    files_with_scope,
    golden_embeddings,
    manifest_body,
    scope_arrays,
    scope_file,
    tiny_model,
    tiny_scope,
    tiny_trust,
)

from edge_infer import Classifier
from edge_infer import bundle_files as bundle_files_module
from edge_infer.bundle import load_bundle, write_bundle
from edge_infer.contract import LABELS, MAX_SCOPE_BYTES, SCOPE_FILE
from edge_infer.errors import (
    BundleIncompatible,
    BundleIncomplete,
    BundleIntegrity,
    ContentRefused,
    InferenceFailed,
    NonFiniteOutput,
)
from edge_infer.manifest import render_manifest
from edge_infer.scope import ScopeModel

Change = Callable[[dict[str, Any]], object]


def described(arrays: dict[str, np.ndarray], **changes: Any) -> dict[str, Any]:
    return tiny_scope(
        arrays=[
            {"name": name, "dtype": array.dtype.name, "shape": list(array.shape)}
            for name, array in arrays.items()
        ],
        **changes,
    )


@pytest.fixture(scope="module")
def model() -> ScopeModel:
    return ScopeModel.from_bundle(tiny_scope(), scope_file(), len(LABELS))


def test_a_score_done_by_hand() -> None:
    arrays = {
        "mean": np.array([0, 0], "<f4"),
        "basis": np.array([[1], [0]], "<f4"),
        "centres": np.array([[1], [-1]], "<f4"),
        "whitening": np.array([[2]], "<f4"),
    }
    scope = described(arrays, scales={"mahalanobis": 4.0, "residual": 0.25})
    model = ScopeModel.from_bundle(scope, scope_file(arrays), 2)
    # (3, 4) has the direction (0.6, 0.8): whitened 1.2, which is 0.2 from the first centre, and 0.8 lies outside.
    expected = math.sqrt(0.2**2 / 4 + 0.8**2 / 0.25)
    for embedding in ([3.0, 4.0], [0.03, 0.04], [3e30, 4e30]):
        np.testing.assert_allclose(model.score(np.array([embedding])), expected, rtol=1e-12)


def test_the_score_is_that_of_its_definition(model: ScopeModel) -> None:
    """Computed the long way round, back in the space of the embeddings."""
    mean, basis, centres, whitening = (a.astype(np.float64) for a in scope_arrays().values())
    embeddings = np.concatenate([golden_embeddings(), np.eye(16), -np.eye(16)])
    expected = []
    for embedding in embeddings:
        offset = embedding / np.linalg.norm(embedding) - mean
        within = offset @ basis
        nearest = min(np.sum((within @ whitening - centre) ** 2) for centre in centres)
        residual = np.sum((offset - basis @ within) ** 2)
        expected.append(math.sqrt(nearest / 1.0 + residual / 0.01))
    np.testing.assert_allclose(model.score(embeddings), expected, rtol=1e-9)
    assert max(expected[:16]) < 0.2 < 1 < min(expected[16:])


def test_one_embedding_has_the_score_that_it_has_among_others(model: ScopeModel) -> None:
    embeddings = golden_embeddings().astype(np.float32)
    alone = [model.score_one(embedding, source="a") for embedding in embeddings]
    np.testing.assert_allclose(alone, model.score(embeddings), rtol=1e-9)  # other sums in BLAS


def test_an_embedding_of_nothing_but_zeros_has_a_score(model: ScopeModel) -> None:
    assert model.score_one(np.zeros(16), source="a") > model.threshold


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_embedding_that_is_not_finite_gives_no_answer(model: ScopeModel, value: float) -> None:
    embedding = golden_embeddings()[0]
    embedding[3] = value
    with pytest.raises(NonFiniteOutput, match=r"scan\.png"):
        model.score_one(embedding, source="scan.png")


def test_embeddings_of_another_size_give_no_answer(model: ScopeModel) -> None:
    with pytest.raises(InferenceFailed, match=r"\(17,\)"):
        model.score_one(np.zeros(17), source="scan.png")
    with pytest.raises(ValueError, match="expected"):
        model.score(np.zeros(16))


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda data: data[:-1], BundleIntegrity),
        (lambda data: data + b"\0", BundleIntegrity),
        (lambda data: data[:0], BundleIntegrity),
        (lambda data: data[:-4] + np.array([np.nan], "<f4").tobytes(), BundleIntegrity),
        (lambda data: np.array([np.inf], "<f4").tobytes() + data[4:], BundleIntegrity),
        (lambda data: data + bytes(MAX_SCOPE_BYTES), BundleIncompatible),
    ],
)
def test_another_file_than_described_is_refused(
    spoil: Callable[[bytes], bytes], error: type[Exception]
) -> None:
    with pytest.raises(error, match=SCOPE_FILE):
        ScopeModel.from_bundle(tiny_scope(), spoil(scope_file()), len(LABELS))


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays.pop(),
        lambda arrays: arrays.append(arrays[0]),
        lambda arrays: arrays[0].update(name="basis"),
        lambda arrays: arrays[0].update(name="neighbours"),
        lambda arrays: arrays[0].update(name=["mean"]),
        lambda arrays: arrays[0].update(dtype="float64"),
        lambda arrays: arrays[0].update(dtype={}),
        lambda arrays: arrays[0].update(shape=[17]),
        lambda arrays: arrays[0].update(shape=[16, 1]),
        lambda arrays: arrays[0].update(shape=[16.0]),
        lambda arrays: arrays[0].update(shape=[-16]),
        lambda arrays: arrays[0].update(shape=[True]),
        lambda arrays: arrays[0].update(shape=16),
        lambda arrays: arrays[1].update(shape=[3, 16]),
        lambda arrays: arrays[1].update(shape=[16, 10**400]),
        lambda arrays: arrays[2].update(shape=[3, 3]),
        lambda arrays: arrays[3].update(shape=[3, 4]),
        lambda arrays: arrays.__setitem__(0, None),
        lambda arrays: arrays[0].pop("shape"),
        lambda arrays: arrays.clear(),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change: Callable[[list[Any]], object]) -> None:
    scope = tiny_scope()
    change(scope["arrays"])
    with pytest.raises(BundleIncompatible, match=r"trust\.scope\.arrays"):
        ScopeModel.from_bundle(scope, scope_file(), len(LABELS))


def test_arrays_may_lie_in_any_order_that_is_stated() -> None:
    turned = dict(reversed(scope_arrays().items()))
    model = ScopeModel.from_bundle(described(turned), scope_file(turned), len(LABELS))
    expected = ScopeModel.from_bundle(tiny_scope(), scope_file(), len(LABELS))
    embeddings = golden_embeddings()
    np.testing.assert_array_equal(model.score(embeddings), expected.score(embeddings))


@pytest.fixture
def scoped(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "scoped", files_with_scope(), manifest_body(trust=tiny_trust()))
    return tmp_path / "scoped"


def test_a_bundle_gives_back_its_scope_check(scoped: Path, model: ScopeModel) -> None:
    bundle = load_bundle(scoped)
    assert bundle.scope_bin == scope_file()
    assert bundle.trust is not None
    assert bundle.trust.scope_threshold == 1.0
    assert bundle.scope_model is not None
    np.testing.assert_array_equal(
        bundle.scope_model.score(golden_embeddings()), model.score(golden_embeddings())
    )


def test_the_graphs_own_embeddings_are_scored(scoped: Path, model: ScopeModel) -> None:
    for prediction, embedding in zip(
        Classifier.load(scoped).predict_many(GOLDEN), golden_embeddings(), strict=True
    ):
        assert prediction.scope_score == pytest.approx(
            model.score_one(embedding, source=""), abs=1e-4
        )


def test_the_file_is_there_exactly_if_it_is_described(scoped: Path, tmp_path: Path) -> None:
    (scoped / SCOPE_FILE).rename(tmp_path / "aside")
    with pytest.raises(BundleIncomplete, match=SCOPE_FILE):
        load_bundle(scoped)
    for trust in (None, tiny_trust(scope=None)):
        write_bundle(scoped, dict(files_without(SCOPE_FILE)), manifest_body(trust=trust))
        assert load_bundle(scoped).scope_model is None
        (scoped / SCOPE_FILE).write_bytes(scope_file())
        with pytest.raises(BundleIntegrity, match="describes no scope check"):
            load_bundle(scoped)
        (scoped / SCOPE_FILE).unlink()
    for files, trust in (
        (files_with_scope(), None),
        (files_with_scope(), tiny_trust(scope=None)),
    ):
        with pytest.raises(BundleIntegrity, match="describes no scope check"):
            write_bundle(tmp_path / "new", files, manifest_body(trust=trust))
    with pytest.raises(BundleIncomplete, match=SCOPE_FILE):
        write_bundle(tmp_path / "new", files_without(SCOPE_FILE), manifest_body(trust=tiny_trust()))


def files_without(name: str) -> dict[str, bytes]:
    return {known: data for known, data in files_with_scope().items() if known != name}


def test_its_size_is_limited_before_it_is_read(
    scoped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (scoped / SCOPE_FILE).open("wb") as file:
        file.truncate(MAX_SCOPE_BYTES + 1)
    monkeypatch.setattr(bundle_files_module, "_read", lambda *_: pytest.fail("was read"))
    with pytest.raises(ContentRefused, match=SCOPE_FILE):
        load_bundle(scoped)


def test_a_flipped_bit_in_it_is_refused(scoped: Path) -> None:
    data = bytearray((scoped / SCOPE_FILE).read_bytes())
    data[len(data) // 2] ^= 1
    (scoped / SCOPE_FILE).write_bytes(data)
    with pytest.raises(BundleIntegrity, match=SCOPE_FILE):
        load_bundle(scoped)


def test_one_made_for_other_embeddings_is_refused_at_load_if_the_graph_states_their_size(
    tmp_path: Path,
) -> None:
    graph = tiny_model()
    (size,) = (
        output.type.tensor_type.shape.dim[1]
        for output in graph.graph.output
        if output.name == "embeddings"
    )
    size.dim_value = 16
    body = manifest_body(trust=tiny_trust())
    write_bundle(tmp_path / "fits", files_with_scope(model=graph.SerializeToString()), body)
    size.dim_value = 12
    with pytest.raises(BundleIntegrity, match=r"16 numbers, but model\.onnx gives 12"):
        write_bundle(tmp_path / "new", files_with_scope(model=graph.SerializeToString()), body)


def test_one_made_for_other_embeddings_gives_no_answer_if_the_graph_does_not_say(
    tmp_path: Path,
) -> None:
    arrays = scope_arrays()
    arrays["mean"], arrays["basis"] = arrays["mean"][:12], arrays["basis"][:12]
    files = {**files_with_scope(), SCOPE_FILE: scope_file(arrays)}
    trust = tiny_trust(scope=described(arrays))
    write_bundle(tmp_path / "other", files, manifest_body(trust=trust))
    with pytest.raises(InferenceFailed, match="embeddings"):
        Classifier.load(tmp_path / "other").predict(GOLDEN[0])
    off = Classifier.load(tmp_path / "other", scope="off").predict(GOLDEN[0])
    assert off.scope_score is None


def test_no_schema_but_the_newest_has_trust(scoped: Path) -> None:
    manifest = json.loads((scoped / "manifest.json").read_bytes())
    for version in (1, 2):
        with pytest.raises(BundleIncompatible, match="schema_version"):
            render_manifest({**manifest, "schema_version": version})
