"""A study is run series by series, for the command and for the node alike; memory does not grow with it."""

import gc
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from dicom_files import file_bytes, mosaic, mr_series, write_files
from scan_slices import GLIOMA, HEALTHY
from tiny_bundle import files_with_scope, manifest_body, tiny_series, tiny_trust

from edge_infer.bundle import write_bundle
from edge_infer.classifier import Classifier
from edge_infer.errors import NoInputs, UnsupportedImage
from edge_infer.series.result import Refused, SeriesResult
from edge_infer.series.study import Study
from edge_infer.study_run import refuse_without_identity, run_study

ILL = [HEALTHY, GLIOMA, GLIOMA, GLIOMA]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    path = tmp_path_factory.mktemp("bundles") / "ruled-fp32"
    write_bundle(path, files_with_scope(), manifest_body(trust=tiny_trust(), series=tiny_series()))
    return Classifier.load(path, num_threads=1)


def write_series(folder: Path, name: str, *, size: int = 32, count: int = 4) -> None:
    greys = [ILL[number * 4 // count] for number in range(count)]
    volume = np.stack(greys).repeat(size // 32, axis=1).repeat(size // 32, axis=2)
    datasets = mr_series(
        volume.astype(np.uint16), series=name, WindowCenter="128", WindowWidth="256"
    )
    write_files(folder / name, datasets)


def test_results_come_one_by_one_with_what_was_found_and_written(
    classifier: Classifier, tmp_path: Path
) -> None:
    for name in "ab":
        write_series(tmp_path / "study", name)
    (tmp_path / "study" / "mosaic").write_bytes(file_bytes(mosaic()))
    opened: list[Study] = []
    refused: list[Refused] = []
    written: dict[int, int] = {}
    steps: list[int] = []

    def on_written(result: SeriesResult, paths: object) -> None:
        written[result.number] = len(list(paths))  # type: ignore[call-overload]

    running = run_study(
        classifier,
        [tmp_path / "study"],
        dicom_out=tmp_path / "out",
        on_opened=opened.append,
        on_refused=refused.append,
        on_series=lambda _series: lambda done, _total: steps.append(done),
        on_written=on_written,
    )
    first = next(running)
    assert (first.number, first.finding) == (1, "tumour_evidence")
    assert opened[0].slices == 8
    assert [each.error.code for each in refused] == ["scan_refused"]
    assert list(written) == [1]
    rest = list(running)
    assert [each.number for each in rest] == [2]
    assert written[1] >= 2  # a report, and at least one capture
    assert len(list((tmp_path / "out").iterdir())) == sum(written.values())
    assert steps == [*range(1, 9), *range(1, 9)]


def test_a_study_without_scans_is_no_input(classifier: Classifier, tmp_path: Path) -> None:
    with pytest.raises(NoInputs):
        next(run_study(classifier, [tmp_path]))


def test_a_study_of_refused_files_has_no_results(classifier: Classifier, tmp_path: Path) -> None:
    (tmp_path / "mosaic").write_bytes(file_bytes(mosaic()))
    refused: list[Refused] = []
    assert list(run_study(classifier, [tmp_path], on_refused=refused.append)) == []
    assert len(refused) == 1


def test_a_refusal_is_overruled(classifier: Classifier, tmp_path: Path) -> None:
    datasets = mr_series(np.stack(ILL).astype(np.uint16), BodyPartExamined="KNEE")
    write_files(tmp_path, datasets)
    assert list(run_study(classifier, [tmp_path])) == []
    (result,) = run_study(classifier, [tmp_path], despite=["other_body_part"])
    assert len(result.slices) == 4


def test_what_has_no_identity_gets_no_dicom_results(tmp_path: Path) -> None:
    datasets = mr_series(np.stack(ILL).astype(np.uint16), StudyInstanceUID=None)
    write_files(tmp_path, datasets)
    from edge_infer.series.study import open_study

    with pytest.raises(UnsupportedImage, match="names no patient and no study"):
        refuse_without_identity(open_study([tmp_path]))


def test_memory_does_not_grow_with_slices(classifier: Classifier, tmp_path: Path) -> None:
    """Forty slices more of 128 KiB each, 5 MiB in all."""
    peaks = []
    for count in (10, 50):
        write_series(tmp_path / str(count), "s", size=256, count=count)
        gc.collect()
        tracemalloc.start()
        results = list(run_study(classifier, [tmp_path / str(count)]))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(results[0].slices) == count
    assert peaks[1] - peaks[0] < 1.5 * 2**20


def test_what_cannot_be_written_is_told_and_the_others_are_written(
    classifier: Classifier, tmp_path: Path
) -> None:
    write_series(tmp_path / "study", "b")
    datasets = mr_series(np.stack(ILL).astype(np.uint16), StudyInstanceUID=None)
    write_files(tmp_path / "study" / "a", datasets)
    told: list[tuple[int, str]] = []
    results = list(
        run_study(
            classifier,
            str(tmp_path / "study"),
            dicom_out=tmp_path / "out",
            on_unwritten=lambda result, error: told.append((result.number, error.code)),
        )
    )
    assert [len(result.slices) for result in results] == [4, 4]
    assert told == [(1, "unsupported")]
    assert len(list((tmp_path / "out").glob("SR.*"))) == 1
    with pytest.raises(UnsupportedImage, match="names no patient and no study"):
        list(run_study(classifier, [tmp_path / "study"], dicom_out=tmp_path / "out"))
