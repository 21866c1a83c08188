import base64
import json
import re
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from report_page import DASH, Page, shown
from report_runs import COMMAND, HOSTILE, make_run

from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from train.data.samples import Sample
from train.report import data_facts, read_runs, write_report


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
        "Tumour called no_tumor (W)": "tumor_called_no_tumor",
    }
    for words, name in figures.items():
        of = (model, baselines["nearest_neighbour"], baselines["image_size"])
        assert rows[words][1:] == [shown(entry[name]) for entry in of]
    for label in LABELS:
        figures_of_class = model["per_class"][label]
        found = next(row for row in page.rows if row and row[0] == label and len(row) == 6)
        assert found[1].startswith(shown(figures_of_class["recall"]))
        assert found[3] == shown(figures_of_class["f1"])
        assert found[4] == shown(figures_of_class["roc_auc"])


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
    assert "Not shown: the run was not trained on the given data" in page.words
    assert not list(folder.glob("*scan*.png"))
    assert next(row for row in page.rows if row and row[0] == "full run")[5] == (
        "not checked: other data"
    )
