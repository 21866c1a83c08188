import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from edge_infer.preprocessing import PreprocessorConfig
from train.checkpoint import save_checkpoint
from train.cli import main
from train.data.samples import Sample
from train.models import create_model

LONG = "x" * 300


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(
        "epochs = 1\nbatch_size = 14\nlearning_rate = 1e-3\nweight_decay = 0.0\n"
        "image_size = 32\nbf16 = false\n"
    )
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    path = tmp_path_factory.mktemp("run") / "checkpoint"
    torch.manual_seed(0)
    save_checkpoint(
        path,
        name="cvt_test",
        model=create_model("cvt_test", len(LABELS)),
        preprocessor=PreprocessorConfig(height=32, width=32),
        training={},
    )
    return path


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_evaluate_measures_a_checkpoint(
    checkpoint: Path, phantom_folder: Path, tmp_path: Path
) -> None:
    code, out, _ = run(
        *("evaluate", checkpoint, "--data", phantom_folder, "--output", tmp_path / "out"),
        *("--manifest", phantom_folder / "manifest.csv", "--cache", tmp_path / "cache"),
        *("--without", "copies"),
    )
    assert code == 0
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["model"]["n"] == 8
    assert metrics["title"] in out
    assert "cvt_test checkpoint on set, test part" in out
    assert RESEARCH_USE_ONLY in out
    assert str(tmp_path) not in json.dumps(metrics["provenance"]), "reports travel"
    assert metrics["provenance"]["part"] == "test"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--data", "DATA"], 2, "--model"),
        (["--model", "cvt_test"], 2, "--data"),
        (["--model", "vgg", "--data", "DATA"], 34, "'vgg'"),
        (["--model", "cvt_test", "--data", "DATA"], 20, "cvt_test-cpu"),  # has no recipe
        (["--model", "cvt_test", "--data", "DATA", "--recipe", "no"], 20, "'no'"),
        (["--model", "cvt_test", "--data", "none", "--recipe", "RECIPE"], 20, "none"),
        (
            ["--model", "cvt_test", "--data", "DATA", "--dataset", "x", "--recipe", "RECIPE"],
            2,
            "--manifest",
        ),
        (["--model", "cvt_test", "--data", "DATA", "--report-to", "mail"], 2, "mail"),
        (["evaluate", "none", "--data", "DATA", "--output", "out"], 30, "config.json"),
        (["evaluate", "none", "--output", "out"], 2, "--data"),
        (
            ["evaluate", LONG, "--data", "DATA", "--output", "out"],
            20,
            "File name too long",
        ),
        (["run", "--model", "cvt_test", "--data", LONG, "--recipe", "RECIPE"], 20, "too long)"),
        (["--model", "cvt_test", "--data", "DATA", "--recipe", LONG], 20, "be read (File name"),
        (["--modle", "cvt_test", "--data", "DATA"], 2, "--modle"),
    ],
)
def test_a_wrong_call_has_its_exit_code_and_says_why(
    phantom_folder: Path,
    recipe: Path,
    arguments: list[str],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    named = {"DATA": phantom_folder, "RECIPE": recipe}
    given, out, err = run(*(named.get(argument, argument) for argument in arguments))
    assert (given, out) == (code, "")
    assert said in err
    assert "or written" not in err, "these are only read"
    assert not (tmp_path / "out").exists()


def test_a_split_that_leaks_is_refused_with_how_many(
    make_leaky: Callable[[Path], list[Sample]], recipe: Path, tmp_path: Path
) -> None:
    make_leaky(tmp_path / "leaky")
    code, out, err = run(
        *("--model", "cvt_test", "--data", tmp_path / "leaky", "--recipe", recipe),
        *("--output", tmp_path / "run", "--cache", tmp_path / "cache"),
    )
    assert (code, out) == (26, "")
    assert any(character.isdigit() for character in err.splitlines()[0])
    assert not (tmp_path / "run").exists()


def test_leaks_that_are_allowed_are_said_and_an_existing_run_is_refused(
    make_leaky: Callable[[Path], list[Sample]], recipe: Path, tmp_path: Path
) -> None:
    make_leaky(tmp_path / "leaky")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    code, _, err = run(
        *("--model", "cvt_test", "--data", tmp_path / "leaky", "--recipe", recipe),
        *("--output", tmp_path / "run", "--cache", tmp_path / "cache", "--allow-leaks"),
    )
    assert code == 40
    assert "warning: the split leaks" in err
    assert "holds a run already" in err
    assert (tmp_path / "run" / "run.json").read_text() == "{}"


def test_a_data_set_without_a_validation_part_is_refused(
    phantom_folder: Path, recipe: Path, tmp_path: Path
) -> None:
    code, _, err = run(
        *("--model", "cvt_test", "--data", phantom_folder / "train", "--recipe", recipe),
        *("--output", tmp_path / "run", "--cache", tmp_path / "cache"),
    )
    assert code == 26
    assert "brain-data split" in err


def test_an_experiment_leaves_the_test_part_alone_and_keeps_apart_from_another_set(
    phantom_folder: Path, recipe: Path, tmp_path: Path
) -> None:
    shutil.copytree(phantom_folder, tmp_path / "other")
    ours = sorted((phantom_folder / "train" / "glioma").glob("*.png"))[0]
    shutil.copy(ours, tmp_path / "other" / "test" / "glioma" / "new.png")
    (tmp_path / "other" / "train" / "glioma" / ours.name).unlink()
    code, out, err = run(
        *("--model", "cvt_test", "--data", phantom_folder, "--recipe", recipe, "--no-test"),
        *("--output", tmp_path / "run", "--cache", tmp_path / "cache", "--report-to", "none"),
        *("--apart-from", tmp_path / "other"),
    )
    assert code == 0
    assert "left out 1 image with a copy in the test part of other" in err
    assert json.loads((tmp_path / "run/checkpoint/training.json").read_text())["n_train"] == 27
    assert "val part" in out
    assert "test part" not in out
    assert [part.name for part in (tmp_path / "run" / "evaluation").iterdir()] == ["val"]


def test_pack_writes_half_precision_with_its_evaluations(checkpoint: Path, tmp_path: Path) -> None:
    evaluations = [tmp_path / one / two / "metrics.json" for one, two in ("ab", "cd", "ed")]
    for path in evaluations:
        path.parent.mkdir(parents=True)
        path.write_text(f'{{"title": "{path.parent.name}"}}')
    output = tmp_path / "shipped" / "cvt_test"
    first, second, namesake = (("--metrics", path) for path in evaluations)
    code, out, err = run("pack", checkpoint, "--output", output, *first, *second)
    assert (code, out) == (0, f"checkpoint: {output}\n"), err
    assert sorted(path.name for path in output.iterdir()) == [
        "b.metrics.json",
        "config.json",
        "d.metrics.json",
        "model.safetensors",
        "preprocessor_config.json",
        "training.json",
    ]
    assert (output / "d.metrics.json").read_bytes() == evaluations[1].read_bytes()
    assert json.loads((output / "config.json").read_text())["torch_dtype"] == "float16"
    code, _, err = run("pack", checkpoint, "--output", tmp_path / "other", *second, *namesake)
    assert code == 2, "one of them would be lost without a word"
    assert "folders of the same name" in err
    assert run("pack", checkpoint, "--output", output, "--metrics", tmp_path / "none")[0] == 2


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, train.cli, export.cli; "
        "print(sorted({'torch', 'sklearn', 'transformers', 'onnx', 'onnxruntime', 'matplotlib'}"
        " & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["run"],
        ["evaluate"],
        ["pack"],
        ["report"],
        ["pointing"],
        ["robustness"],
        ["trust"],
        ["folds", "split"],
    ],
)
def test_help_shows_its_example_on_a_line_of_its_own(command: list[str]) -> None:
    code, out, _ = run(*command, "--help")
    assert code == 0
    assert f"\n  Example:\n    {' '.join(['brain-train', *command])} " in out


def test_a_bare_call_shows_the_commands_and_how_to_train_first() -> None:
    shown = CliRunner().invoke(main, []).output
    assert shown == CliRunner().invoke(main, ["--help"]).output
    assert "\n  run  " in shown
    assert "\n  Example:\n    brain-train --model cvt13 --data " in shown


def test_a_mistyped_option_is_one_of_run_and_names_what_was_meant() -> None:
    code, _, err = run("--modle", "cvt13")
    assert code == 2
    assert "brain-train run" in err
    assert "Did you mean" in err


def test_run_is_what_is_meant_when_no_command_is_named(recipe: Path, tmp_path: Path) -> None:
    words = ["--model", "cvt_test", "--data", tmp_path / "none", "--recipe", recipe]
    assert run("run", *words) == run(*words) == run("-v", *words)


def test_packing_leaves_a_folder_with_other_things_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    result = CliRunner().invoke(main, ["pack", str(tmp_path / "run"), "--output", str(tmp_path)])
    assert result.exit_code == 40
    assert "holds files that do not belong to a checkpoint, such as mine.txt" in result.output
    assert (tmp_path / "mine.txt").read_text() == "precious"
