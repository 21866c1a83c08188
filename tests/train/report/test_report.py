import base64
import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from report_runs import COMMAND, history, make_run
from sklearn.metrics import average_precision_score

from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from edge_infer.errors import BundleIncompatible, DataRefused
from train.commands.report import report as command
from train.data.samples import Sample
from train.metrics import figures as train_metrics
from train.plots import RunCurves, plot_epochs
from train.report import BundleFacts, bundles_of_runs, data_facts, read_runs, write_report
from train.report.scans import DRAW_SEED, PER_CLASS, _confident_mistakes, _random_rows
from train.report.seed_figures import seed_figures
from train.report.summary import summarize

ROOT = Path(__file__).parents[3]
DASH = "\N{EN DASH}"
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(1)'
INT8 = BundleFacts(
    name="cvt_test-int8",
    precision="int8",
    size_bytes=1_234_567,
    agreement={"value": 0.995, "n": 200, "low": 0.97, "high": 0.999, "interval": "wilson"},
    gate_source="synthetic phantoms, seed 0",
    gate_synthetic=True,
    manifest_sha256="0" * 64,
)


@pytest.fixture(scope="module", autouse=True)
def _quick_bootstrap() -> Iterator[None]:
    """A thousand draws say nothing more here than twenty."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_metrics, "_RESAMPLES", 20)
        yield


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def runs(
    phantom_samples: list[Sample], cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    """A run with everything, and one with a hostile name, little known of it and no evaluation."""
    folder = tmp_path_factory.mktemp("runs")
    full = make_run(
        folder / "full run",
        phantom_samples,
        cache,
        best_val_accuracy=0.75,
        n_train=28,
        n_val=4,
        seconds=4371.6,
        data="phantoms",
        versions={"torch": "2.14.1"},
    )
    bare = make_run(folder / HOSTILE, phantom_samples, cache, parts=(), seed=8, history=[])
    return [full, bare]


class Page(HTMLParser):
    """The page's tags and texts, and the cells of its tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.rows: list[list[str]] = []
        self._cell = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._cell = False
            self.rows[-1][-1] = " ".join(self.rows[-1][-1].split())

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self._cell:
            self.rows[-1][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def written(
    runs: list[Path],
    phantom_samples: list[Sample],
    cache: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    folder = tmp_path_factory.mktemp("out") / "report"
    facts = read_runs(runs)
    data = data_facts("phantoms", phantom_samples, cache)
    assert write_report(
        folder, facts, {1: {"int8": INT8}}, data, command="brain-train report", made_on="2026-01-02"
    ) == (folder / "report.html")
    return folder


@pytest.fixture(scope="module")
def page(written: Path) -> Page:
    return Page((written / "report.html").read_text(encoding="utf-8"))


def shown(figure: dict[str, Any]) -> str:
    """A figure as the page writes it."""
    value, low, high = (100 * figure[key] for key in ("value", "low", "high"))
    return f"{value:.2f} % {low:.1f}{DASH}{high:.1f}, n {figure['n']}"


def test_the_page_is_one_file_that_asks_for_nothing(written: Path, page: Page) -> None:
    text = (written / "report.html").read_text(encoding="utf-8")
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "iframe", "object", "embed", "base", "form", "video"}
    assert "http://" not in text
    assert "https://" not in text
    assert "url(" not in text
    assert "@import" not in text
    assert not [name for _, given in page.tags for name in given if name.startswith("on")]
    sources = [image["src"] or "" for image in page.all("img")]
    assert len(sources) >= 2 + 4 + 8, "curves, classes, four of the answers, eight scans"
    for source in sources:
        assert source.startswith("data:image/png;base64,")
    ids = {given["id"] for _, given in page.tags if "id" in given}
    links = [link["href"] or "" for link in page.all("a")]
    assert links
    assert [link for link in links if not link.startswith("#") or link[1:] not in ids] == []
    policy = next(m["content"] for m in page.all("meta") if "http-equiv" in m)
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert page.all("meta")[0] == {"charset": "utf-8"}
    assert page.all("html") == [{"lang": "en"}]


def test_every_image_lies_beside_the_page_and_has_words_for_it(written: Path, page: Page) -> None:
    files = {
        base64.b64encode(path.read_bytes()).decode(): path.name for path in written.glob("*.png")
    }
    seen = set()
    for image in page.all("img"):
        name = files[(image["src"] or "").removeprefix("data:image/png;base64,")]
        seen.add(name)
        assert len(image["alt"] or "") > 30
        with Image.open(written / name) as opened:
            assert (str(opened.width), str(opened.height)) == (image["width"], image["height"])
    assert seen == set(files.values())
    summary = json.loads((written / "summary.json").read_text())
    assert summary["files"] == sorted(path.name for path in written.iterdir())


def test_it_says_what_it_must(page: Page) -> None:
    assert page.words.count(RESEARCH_USE_ONLY) == 3
    for said in ("2026-01-02", COMMAND, "one slice", "No leak found in phantoms", "seed 0"):
        assert said in page.words
    assert "1 h 13 min" in page.words
    headings = [tag for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert headings[0] == "h1"
    assert headings.count("h1") == 1


def test_the_numbers_are_those_of_the_evaluation(
    written: Path, page: Page, runs: list[Path]
) -> None:
    summary = json.loads((written / "summary.json").read_text())
    for part in ("val", "test"):
        measured = json.loads((runs[0] / "evaluation" / part / "metrics.json").read_text())
        assert summary["runs"][0][part]["model"] == measured["model"]
        assert summary["runs"][0][part]["baselines"] == measured["baselines"]
    model, baselines = measured["model"], measured["baselines"]
    side_by_side = next(row for row in page.rows if row and row[0] == "full run")
    assert side_by_side[6] == shown(summary["runs"][0]["val"]["model"]["accuracy_by_group"])
    assert side_by_side[7] == shown(model["accuracy_by_group"])
    assert side_by_side[8] == shown(model["macro_f1"])
    assert side_by_side[1:5] == ["cvt_test", side_by_side[2], "2 (2)", "1 h 13 min"]
    rows = {row[0]: row for row in page.rows if row}
    figures = {
        "Accuracy (W)": "accuracy",
        "Balanced accuracy (G)": "balanced_accuracy",
        "ROC AUC, mean of the classes (G)": "roc_auc_macro",
        "Tumours called no_tumor (W)": "tumor_called_no_tumor",
    }
    for words, name in figures.items():
        of = (model, baselines["nearest_neighbour"], baselines["image_size"])
        assert rows[words][1:] == [shown(entry[name]) for entry in of]
    for label in LABELS:
        figures_of_class = model["per_class"][label]
        found = next(row for row in page.rows if row and row[0] == label and len(row) == 6)
        assert found[1].startswith(_percent(figures_of_class["recall"]))
        assert found[3] == shown(figures_of_class["f1"])
        assert found[4] == shown(figures_of_class["roc_auc"])


def _percent(figure: dict[str, Any]) -> str:
    return DASH if figure["value"] is None else shown(figure)


def test_figures_of_the_curves_come_from_the_probabilities(runs: list[Path]) -> None:
    (run, _) = read_runs(runs)
    assert run.test is not None
    for index, name in enumerate(LABELS):
        expected = average_precision_score(
            run.test.labels == index, run.test.probabilities[:, index]
        )
        figure = run.test.average_precision()[name]
        assert figure["value"] == pytest.approx(expected)
        assert figure["low"] <= figure["value"] <= figure["high"]
    confidence = run.test.probabilities.max(axis=1)
    # Eight images in ten bins: one a bin, so the error is the mean gap.
    gap = np.abs(confidence - (run.test.predicted == run.test.labels)).mean()
    assert run.test.calibration_error()["value"] == pytest.approx(gap)


def test_a_hostile_name_stays_text(page: Page) -> None:
    assert HOSTILE in page.words
    assert not [image for image in page.all("img") if image["src"] == "x"]
    assert not page.all("script")


def test_what_a_run_lacks_is_said_and_not_guessed(page: Page) -> None:
    bare = next(row for row in page.rows if row and row[0] == HOSTILE)
    assert bare[3:5] == [DASH, DASH]
    assert bare[6:] == [DASH, "not evaluated", "not evaluated", DASH, DASH, DASH]
    assert "Not evaluated on its test part." in page.words
    assert "not recorded; the settings below are all that is known" in page.words


def test_a_bundle_shows_its_size_and_a_gate_on_phantoms_is_named(page: Page) -> None:
    row = next(row for row in page.rows if row and row[0] == "full run")
    assert row[9:11] == [DASH, "1.2 MB"]
    assert row[11].startswith(f"99.50 % 97.0{DASH}99.9, n 200")
    assert "no evidence about scans" in row[11]


def test_wrong_answers_are_marked_by_words_too(written: Path, page: Page, runs: list[Path]) -> None:
    (run, _) = read_runs(runs)
    assert run.test is not None
    wrong = int((run.test.predicted != run.test.labels).sum())
    assert f"{wrong} of all 8 answers are wrong" in page.words
    cards = [
        given["class"] or "" for given in page.all("figure") if "card" in (given.get("class") or "")
    ]
    assert len(cards) == 8 + min(wrong, 8)
    assert sum("wrong" in name for name in cards) == page.words.count("✗ WRONG") == 2 * wrong
    for path in written.glob("run-1-scan-*.png"):
        with Image.open(path) as opened:
            assert opened.size == (404, 200)


def test_images_are_drawn_by_seed_and_not_by_result(runs: list[Path]) -> None:
    (run, _) = read_runs(runs)
    answers = run.test
    assert answers is not None
    many = replace(
        answers,
        names=tuple(f"{row:03d}" for row in range(400)),
        labels=np.arange(400) % 4,
        probabilities=np.random.default_rng(1).dirichlet(np.ones(4), 400),
    )
    rows = _random_rows(many)
    others = replace(many, probabilities=np.roll(many.probabilities, 1, axis=1))
    assert rows == _random_rows(others), "whatever the answers are"
    assert [many.labels[row] for row in rows] == [k for k in range(4) for _ in range(PER_CLASS)]
    assert rows != [row for k in range(4) for row in range(k, 4 * PER_CLASS, 4)]
    assert DRAW_SEED == 0
    mistakes = _confident_mistakes(many)
    scores = many.probabilities[mistakes].max(axis=1)
    assert (np.diff(scores) <= 0).all()
    assert (many.predicted[mistakes] != many.labels[mistakes]).all()
    wrong = many.predicted != many.labels
    assert scores[0] == many.probabilities[wrong].max()


def test_a_split_that_leaks_is_told_in_a_box_wherever_figures_stand(
    make_leaky: Callable[[Path], list[Sample]], cache: Path, tmp_path: Path
) -> None:
    samples = make_leaky(tmp_path / "leaky")
    run = make_run(tmp_path / "run", samples, cache, parts=())
    data = data_facts("leaky", samples, cache)
    folder = tmp_path / "report"
    write_report(folder, read_runs([run]), {}, data, command="c", made_on="2026-01-02")
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    boxes = [given for given in page.all("div") if "warn" in (given.get("class") or "")]
    assert len(boxes) == 3, "at the top, under Leakage, at the run"
    assert "⚠ LEAKS" in next(row for row in page.rows if row and row[0] == "run")[5]
    assert "4 of 12 test images share" in page.words
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["runs"][0]["split_check"] == "leaks"
    assert summary["data"]["leaking_pictures"]["test"] == 4


def test_a_run_of_other_data_gets_no_images_of_these(
    runs: list[Path], phantom_samples: list[Sample], cache: Path, tmp_path: Path
) -> None:
    fewer = [sample for sample in phantom_samples if sample.label != 0 or sample.split != "val"]
    data = data_facts("fewer", fewer, cache)
    folder = tmp_path / "report"
    write_report(folder, read_runs(runs[:1]), {}, data, command="c", made_on="2026-01-02")
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert "was not trained on the data given here" in page.words
    assert "Not shown: the run was not trained on the data given" in page.words
    assert not list(folder.glob("*scan*.png"))
    assert next(row for row in page.rows if row and row[0] == "full run")[5] == (
        "not checked: other data"
    )


def invoke(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_without_data_it_says_what_is_missing_and_how_to_get_it(
    runs: list[Path], tmp_path: Path
) -> None:
    code, out, err = invoke(runs[0], "--output", tmp_path / "report")
    assert (code, err) == (0, "")
    assert out == f"report: {tmp_path / 'report' / 'report.html'}\n{RESEARCH_USE_ONLY}\n"
    page = Page((tmp_path / "report" / "report.html").read_text(encoding="utf-8"))
    assert "Made without the data set." in page.words
    assert "--data DIR --manifest FILE --dataset NAME" in page.words
    assert "The split was not checked" in page.words
    assert len(page.all("img")) == 5, "the curves and four images of the answers"
    assert str(tmp_path) not in (tmp_path / "report" / "report.html").read_text()
    # An older report is replaced as a whole, and nothing else is.
    before = (tmp_path / "report" / "report.html").stat().st_ino
    (tmp_path / "report" / "notes.txt").write_text("mine")
    assert invoke(runs[0], "--output", tmp_path / "report")[0] == 40
    assert (tmp_path / "report" / "report.html").stat().st_ino == before
    (tmp_path / "report" / "notes.txt").unlink()
    assert invoke(runs[1], "--output", tmp_path / "report")[0] == 0
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
        "epochs.png",
        "report.html",
        "summary.json",
    ]


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (["unfinished"], 30, "--resume"),
        (["empty"], 30, "neither run.json nor checkpoint"),
        (["absent"], 20, "absent"),
        (["FULL", "FULL"], 26, "given twice"),
        (["FULL", "--dataset", "x"], 2, "--data"),
        (["FULL", "--bundle", "absent"], 30, "absent"),
        ([], 2, "RUN"),
    ],
)
def test_a_wrong_call_has_its_exit_code_and_writes_nothing(
    runs: list[Path], tmp_path: Path, given: Sequence[str], code: int, said: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "unfinished" / "checkpoint-12").mkdir(parents=True)
    (tmp_path / "unfinished" / "run.json").write_text("{}")
    named = {name: tmp_path / name for name in ("unfinished", "empty", "absent")}
    named["FULL"] = runs[0]
    status, out, err = invoke(
        *(named.get(word, word) for word in given), "--output", tmp_path / "report"
    )
    assert (status, out) == (code, "")
    assert said in err
    assert not (tmp_path / "report").exists()


def test_an_evaluation_that_does_not_fit_is_refused(
    runs: list[Path], phantom_samples: list[Sample], cache: Path, tmp_path: Path
) -> None:
    shutil.copytree(runs[0], tmp_path / "run")
    predictions = tmp_path / "run" / "evaluation" / "test" / "predictions.csv"
    lines = predictions.read_text().splitlines(keepends=True)
    predictions.write_text("".join(lines[:-1]))
    with pytest.raises(DataRefused, match=r"is not what metrics\.json was counted from"):
        read_runs([tmp_path / "run"])
    predictions.write_text("name,group\n")
    with pytest.raises(DataRefused, match="run/evaluation/test"):
        read_runs([tmp_path / "run"])
    predictions.write_text("".join(lines))
    # Another checkpoint than the one that was evaluated.
    shutil.rmtree(tmp_path / "run" / "checkpoint")
    shutil.copytree(runs[1] / "checkpoint", tmp_path / "run" / "checkpoint")
    facts = read_runs([tmp_path / "run"])
    data = data_facts("phantoms", phantom_samples, cache)
    with pytest.raises(DataRefused, match=r"does not answer as predictions\.csv says"):
        write_report(tmp_path / "out", facts, {}, data, command="c", made_on="2026-01-02")
    assert not (tmp_path / "out").exists()


def test_a_bundle_finds_its_run_and_no_other(runs: list[Path], tmp_path: Path) -> None:
    """The shipped bundle was made from the shipped checkpoint, whose training.json lacks some fields."""
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "checkpoint").symlink_to(ROOT / "export" / "checkpoints" / "cvt-slim")
    bundle = ROOT / "edge_infer" / "shipped"
    facts = read_runs([tmp_path / "shipped", runs[0]])
    assert facts[0].parameters > 4_000_000
    found = bundles_of_runs([bundle], facts)
    assert found[2] == {}
    int8 = found[1]["int8"]
    assert int8.size_bytes == (bundle / "model.onnx").stat().st_size
    gate = json.loads((bundle / "manifest.json").read_text())["gate"]
    assert int8.agreement == gate["agreement"]
    assert not int8.gate_synthetic
    with pytest.raises(BundleIncompatible, match="a second int8 bundle"):
        bundles_of_runs([bundle, bundle], facts)
    with pytest.raises(BundleIncompatible, match="none of the runs"):
        bundles_of_runs([bundle], facts[1:])
    known, recipe = facts[0].known, facts[0].recipe
    others = [
        {**known, "best_val_accuracy": 0.5},
        {**known, "data_sha256": "0" * 64},
        {**known, "recipe": {**recipe, "seed": recipe["seed"] + 1}},
        {**known, "recipe": {**recipe, "name": "another"}},
    ]
    for other in others:
        with pytest.raises(BundleIncompatible, match="none of the runs"):
            bundles_of_runs([bundle], [replace(facts[0], known=other)])
    summary = summarize(facts, found, None, command="c", made_on="2026-01-02")
    assert summary["runs"][0]["bundles"]["int8"]["size_bytes"] == int8.size_bytes


def test_phases_before_the_classifier_stand_apart() -> None:
    entries: list[dict[str, Any]] = [
        {"phase": "layer 1", "epoch": 1.0, "loss": 0.9},
        {"phase": "layer 1", "epoch": 2.0, "loss": 0.8},
        {"phase": "layer 2", "epoch": 1.0, "loss": 0.7},
        *({"phase": "classifier", **entry} for entry in history()),
        {"phase": "fine-tuning", "epoch": 1.0, "eval_accuracy": 0.75},
    ]
    curves = RunCurves.of("sae", entries)
    assert [(entry["epoch"], entry["loss"]) for entry in curves.pretraining] == [
        (1, 0.9),
        (2, 0.8),
        (3, 0.7),
    ]
    assert curves.epochs == 3, "the fine-tuning counts on"
    assert curves.best == (2, 0.75), "the first of equals"
    assert RunCurves.of("nothing", []).best is None
    assert RunCurves.of("losses only", [{"epoch": 1.0, "loss": 2.0}]).best is None


@pytest.mark.parametrize("count", [1, 6])
def test_curves_of_one_run_and_of_six_are_drawn(count: int, tmp_path: Path) -> None:
    curves = [RunCurves.of(f"run $ {number}", history()) for number in range(count)]
    plot_epochs([*curves, RunCurves.of("no history", [])], tmp_path / "epochs.png")
    with Image.open(tmp_path / "epochs.png") as opened:
        opened.load()
        assert opened.height > opened.width > 500


def test_figures_of_the_earlier_reports_are_stated_or_said_not_to_be() -> None:
    entries = {(entry["report"], entry["here"]): entry for entry in seed_figures()}
    cvt = entries["second report", "cvt13"]
    assert f"{100 * cvt['accuracy']['value']:.2f}" == "54.06"
    assert f"{100 * entries['second report', 'vit-base']['accuracy']['value']:.2f}" == "45.69"
    assert cvt["accuracy"]["n"] == 394
    assert cvt["accuracy"]["low"] < 0.5406 < cvt["accuracy"]["high"]
    assert "leaking" in cvt["split"]
    for here in ("vit", "vit-base", "sae"):
        assert entries["first report", here]["accuracy"] is None
