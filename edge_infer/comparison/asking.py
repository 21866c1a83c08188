"""Both bundles asked about every image and every series, in turn: each image is read once, for both."""

import io
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from PIL import Image

from edge_infer.classifier import Classifier, Outcome
from edge_infer.comparison.answers import Answer, Case, SeriesPair
from edge_infer.comparison.data import Data, Known
from edge_infer.errors import BrainError
from edge_infer.image_file import open_source
from edge_infer.scan_slice import ScanSlice
from edge_infer.series.classify import classify_series
from edge_infer.series.lines import source_of
from edge_infer.series.result import SliceAnswer, SliceState
from edge_infer.series.study import Series, open_study

__all__ = ["Asked", "Progress", "ask_both"]

#: Called with (done, total) images and slices.
Progress = Callable[[int, int], None]

_THUMBNAIL = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What came of it.

    Attributes:
        cases: Images, then slices of series, in order. End slices, which are not asked, are none.
        series: Series of several slices.
        refused: Files of scans that are not read, by code; the same for both.
        end_slices: Slices that show too little head to be asked.
    """

    cases: tuple[Case, ...] = field(repr=False)
    series: tuple[SeriesPair, ...]
    refused: Counter[str]
    end_slices: int


def ask_both(
    old: Classifier,
    new: Classifier,
    data: Data,
    *,
    despite: Collection[str] = (),
    thumbnails: bool = False,
    progress: Progress = lambda _done, _total: None,
) -> Asked:
    """Ask both about everything.

    Args:
        old: In use.
        new: To take its place. Of the same classes.
        data: What to ask about.
        despite: Refusals of scans to overrule.
        thumbnails: Keep a small copy of each image.
        progress: Called as work goes on.

    Raises:
        UnreadableInput: A folder may not be read.
    """
    study = open_study(data.scans, despite=despite) if data.scans else None
    total = len(data.images) + (study.slices if study else 0)
    cases: list[Case] = []
    for number, case in enumerate(_images(old, new, data, thumbnails), start=1):
        cases.append(case)
        progress(number, total)
    pairs: list[SeriesPair] = []
    end_slices, done = 0, len(data.images)
    for series in study.series if study else ():
        pair, answered, skipped = _series(old, new, series, data, thumbnails)
        cases += answered
        end_slices += skipped
        if len(series.slices) > 1:
            pairs.append(pair)
        done += len(series.slices)
        progress(done, total)
    return Asked(
        cases=tuple(cases),
        series=tuple(pairs),
        refused=Counter(refused.error.code for refused in study.refused) if study else Counter(),
        end_slices=end_slices,
    )


def _images(old: Classifier, new: Classifier, data: Data, thumbnails: bool) -> Iterator[Case]:
    for number, path in enumerate(data.images):
        known, name = data.known(path), data.shown(str(path))
        try:
            source = open_source(path)
        except BrainError as error:
            yield Case(
                name=name,
                group=known.group,
                truth=known.truth,
                old_error=error.code,
                new_error=error.code,
            )
            continue
        # In turn first and second, so that neither always finds the other's data in the caches.
        both = [("old", old), ("new", new)]
        ordered = both if number % 2 == 0 else both[::-1]
        said = {side: next(one.predict_each([source])) for side, one in ordered}
        yield _case(
            name,
            known.group or source.sha256,  # copies of one file are one group
            known,
            said["old"],
            said["new"],
            data,
            _png(source.image) if thumbnails else None,
        )


def _series(
    old: Classifier, new: Classifier, series: Series, data: Data, thumbnails: bool
) -> tuple[SeriesPair, list[Case], int]:
    """Return the findings, the slices that were asked, and how many were not."""
    small: dict[int, bytes] = {}

    def keep(index: int, image: Image.Image) -> None:
        small[index] = _png(image)

    before = classify_series(old, series, shown=keep if thumbnails else None)
    after = classify_series(new, series)
    name = data.shown(source_of(before))
    known_of = _known_slices(data, series)
    # A slice that the table leaves out is of the patient of the others.
    stated = next((known.group for known in known_of if known.group), "")
    its_group = stated or f"series {series.number} {name}"
    cases, skipped = list[Case](), 0
    both = zip(before.slices, after.slices, known_of, strict=True)
    for index, (was, now, known) in enumerate(both):
        if was.state is SliceState.END_SLICE and now.state is SliceState.END_SLICE:
            skipped += 1
            continue
        cases.append(
            _case(
                data.shown(was.slice.name),
                known.group or its_group,
                known,
                _outcome(was),
                _outcome(now),
                data,
                small.get(index),
            )
        )
    pair = SeriesPair(
        name=name,
        slices=len(series.slices),
        old=before.finding,
        new=after.finding,
        old_reasons=tuple(reason.value for reason in before.reasons),
        new_reasons=tuple(reason.value for reason in after.reasons),
        group=its_group,
    )
    return pair, cases, skipped


def _known_slices(data: Data, series: Series) -> list[Known]:
    """Return what is known about each slice of a series: its group, and its class only if its file is of one slice."""
    shares_file = Counter(one.file.name for one in series.slices)
    # A volume named as a class holds slices that show nothing of it; they are of its patient all the same.
    is_alone = len(series.slices) == 1 or data.table is not None
    found = []
    for one in series.slices:
        known = _known(data, one)
        has_class = is_alone and shares_file[one.file.name] == 1
        found.append(known if has_class else replace(known, truth=None))
    return found


def _known(data: Data, one: ScanSlice) -> Known:
    return Known() if one.file.path is None else data.known(one.file.path)


def _outcome(answer: SliceAnswer) -> Outcome:
    return answer.outcome or Outcome(source=answer.slice.name)


def _case(
    name: str,
    group: str,
    known: Known,
    old: Outcome,
    new: Outcome,
    data: Data,
    thumbnail: bytes | None,
) -> Case:
    answers: dict[Literal["old", "new"], Answer | None] = {
        "old": None if old.prediction is None else Answer.of(old.prediction, data.labels),
        "new": None if new.prediction is None else Answer.of(new.prediction, data.labels),
    }
    return Case(
        name=name,
        group=group,
        truth=known.truth,
        old=answers["old"],
        new=answers["new"],
        old_error=_code(old),
        new_error=_code(new),
        thumbnail=thumbnail,
    )


def _code(outcome: Outcome) -> str:
    if outcome.prediction is not None:
        return ""
    return "not_asked" if outcome.error is None else outcome.error.code


def _png(image: Image.Image) -> bytes:
    small = image.copy()
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    stream = io.BytesIO()
    small.save(stream, "PNG")
    return stream.getvalue()
