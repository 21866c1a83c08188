import dataclasses
import json
from pathlib import Path

import pytest

from edge_infer.errors import DataRefused, UnreadableInput
from train.recipe import Augmentation, builtin_recipes, read_recipe, recipe_defaults

NUMBERS = "epochs = 1\nbatch_size = 2\nlearning_rate = 1e-3\nweight_decay = 0.0\n"


def written(folder: Path, text: str) -> str:
    path = folder / "own.toml"
    path.write_text(text)
    return str(path)


def test_every_shipped_recipe_can_be_read() -> None:
    assert set(builtin_recipes()) >= {
        "sartaj-fine-tuning",
        "sartaj-from-scratch",
        "cvt13-cpu",
        "resnet18-cpu",
        "sae-cpu",
        "vit-base-cpu",
        "vit-cpu",
    }
    for name in builtin_recipes():
        assert read_recipe(name).name == name


@pytest.mark.parametrize(
    ("former", "name"),
    [("seed", "sartaj-fine-tuning"), ("seed-from-scratch", "sartaj-from-scratch")],
)
def test_former_names_of_recipes_are_still_accepted(former: str, name: str) -> None:
    assert read_recipe(former) == read_recipe(name)


def test_every_recipe_of_an_experiment_can_be_read() -> None:
    paths = sorted((Path(__file__).parents[2] / "docs/experiments/recipes").glob("*.toml"))
    assert paths
    for path in paths:
        assert f"--recipe docs/experiments/recipes/{path.name} " in path.read_text()
        assert read_recipe(str(path)).name == path.stem


def test_a_recipe_has_the_numbers_of_the_second_report() -> None:
    recipe = read_recipe("sartaj-fine-tuning")
    assert (recipe.learning_rate, recipe.epochs, recipe.batch_size) == (2e-5, 10, 16)
    assert (recipe.weight_decay, recipe.image_size, recipe.schedule) == (0.01, 224, "linear")
    assert recipe.keep_originals, "2,296 images become 4,592"
    views = recipe.augmentation
    assert (views.rotation_degrees, views.scale) == (15, (0.8, 1.0))
    assert (views.horizontal_flip, views.vertical_flip) == (0.5, 0.5)
    assert (views.brightness, views.contrast) == (0.2, 0.2)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (NUMBERS + "learnig_rate = 1.0\n", "learnig_rate"),
        (NUMBERS + "[augmentation]\nrotate = 15\n", "rotate"),
        (NUMBERS + "[distillation]\nheat = 3\n", "heat"),
        (NUMBERS + "[autoencoder]\nlayers = 3\n", "layers"),
        (NUMBERS + "[mixing]\nalpha = 1.0\n", "alpha"),
        (NUMBERS + '[mask]\nform = "places"\n', "form"),
        (NUMBERS + "[counterfactual]\nadded = 0.1\n", "added"),
        (NUMBERS + "[counterfactual]\nremoved = -0.1\n", "not be negative"),
        (NUMBERS + "[counterfactual]\nremoved = nan\n", "not be negative"),
        (NUMBERS + "[counterfactual]\nremoved = 0.6\nharmless = 0.5\n", r"removed \+ harmless"),
        (NUMBERS + "[counterfactual]\npasted = 1.5\n", r"may exceed 1"),
        (NUMBERS + '[counterfactual]\npasted = "all"\n', r"\[counterfactual\]"),
        (
            NUMBERS + "keep_originals = true\n[counterfactual]\nharmless = 0.1\n",
            "keep_originals and \\[counterfactual\\]",
        ),
        (NUMBERS + "ema_decay = 1.0\n", "ema_decay"),
        (NUMBERS + "ema_every = 0\n", "ema_every"),
        (NUMBERS + "average_last = -1\n", "average_last"),
        (NUMBERS + "one_of_each_copy = true\nsample_copies = true\n", "exclude each other"),
        (NUMBERS + "image_sizes = [[96, 0.5], [192, 0.5]]\n", "end with 192"),
        (NUMBERS + "image_sizes = [[96, 0.5], [224, 0.4]]\n", "add up to 1"),
        (NUMBERS + "image_sizes = [[96, 1.5], [224, -0.5]]\n", "positive"),
        (NUMBERS + "image_sizes = [[0, 0.5], [224, 0.5]]\n", "positive"),
        (NUMBERS + "image_sizes = [96, 224]\n", "own.toml"),
        (NUMBERS + 'schedule = "constant"\n', "constant"),
        (NUMBERS.replace("epochs = 1", "epochs = 0"), "epochs"),
        (NUMBERS.replace("epochs = 1", ""), "epochs"),
        (NUMBERS + "[augmentation]\nscale = [1.0]\n", "values"),
        ("epochs = = 1\n", "own.toml"),
    ],
)
def test_a_wrong_recipe_is_refused_and_what_is_wrong_is_named(
    tmp_path: Path, text: str, named: str
) -> None:
    with pytest.raises(DataRefused, match=named) as refused:
        read_recipe(written(tmp_path, text))
    assert refused.value.exit_code == 26


def test_the_hint_lists_the_keys_of_the_section_with_the_error(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match=r"unknown key in \[mixing\]: alpha") as refused:
        read_recipe(written(tmp_path, NUMBERS + "[mixing]\nalpha = 1.0\n"))
    assert refused.value.hint.startswith("known keys in [mixing]: cutmix_alpha, mixup_alpha, ")
    assert "epochs" not in refused.value.hint
    with pytest.raises(DataRefused, match="unknown key: name, ratio") as refused:
        read_recipe(written(tmp_path, NUMBERS + 'ratio = 1.0\nname = "x"\n'))
    assert "epochs" in refused.value.hint
    assert "cutmix_alpha" not in refused.value.hint
    with pytest.raises(DataRefused, match="mixing is 3, expected a section"):
        read_recipe(written(tmp_path, NUMBERS + "mixing = 3\n"))
    with pytest.raises(DataRefused, match=r"epochs missing"):
        read_recipe(written(tmp_path, NUMBERS.replace("epochs = 1\n", "")))


def test_a_recipe_whose_name_is_too_long_is_unreadable_for_that_reason() -> None:
    with pytest.raises(UnreadableInput, match=r"cannot be read \(File name too long\)"):
        read_recipe("x" * 300)


def test_a_recipe_that_is_not_there_is_unreadable_and_the_shipped_ones_are_listed() -> None:
    with pytest.raises(UnreadableInput, match="cvt13-cpu") as refused:
        read_recipe("no-such-recipe")
    assert refused.value.exit_code == 20


def test_the_command_line_overrides_a_number_and_none_leaves_it(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, NUMBERS), epochs=7, seed=None)
    assert (recipe.name, recipe.epochs, recipe.seed, recipe.batch_size) == ("own", 7, 42, 2)


def test_an_override_is_checked_as_the_file_is(tmp_path: Path) -> None:
    with pytest.raises(DataRefused):
        read_recipe(written(tmp_path, NUMBERS), batch_size=0)


def test_sizes_and_sections_are_read(tmp_path: Path) -> None:
    text = NUMBERS + "image_size = 192\nimage_sizes = [[96, 0.4], [128, 0.4], [192, 0.2]]\n"
    text += "[mixing]\ncutmix_alpha = 1.0\nuntil = 0.8\n[mask]\nweight = 0.3\n"
    recipe = read_recipe(written(tmp_path, text))
    assert recipe.image_sizes == ((96, 0.4), (128, 0.4), (192, 0.2))
    assert (recipe.mixing.cutmix_alpha, recipe.mixing.mixup_alpha, recipe.mixing.until) == (
        1,
        0,
        0.8,
    )
    assert recipe.mask.weight == 0.3


def test_shares_of_counterfactual_images_are_read(tmp_path: Path) -> None:
    text = NUMBERS + "[counterfactual]\nremoved = 0.6\npasted = 0.5\nharmless = 0.4\n"
    shares = read_recipe(written(tmp_path, text)).counterfactual
    assert (shares.removed, shares.pasted, shares.harmless) == (0.6, 0.5, 0.4)
    assert shares.most == 1
    only = NUMBERS + "[counterfactual]\npasted = 0.25\n"
    assert read_recipe(written(tmp_path, only)).counterfactual.most == 0.25


def test_what_is_new_is_off_so_old_recipes_train_as_before(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, NUMBERS))
    assert not recipe.image_sizes
    assert not recipe.sample_copies
    assert (recipe.ema_decay, recipe.average_last, recipe.mask.weight) == (0, 0, 0)
    assert (recipe.mixing.mixup_alpha, recipe.mixing.cutmix_alpha) == (0, 0)
    assert recipe.counterfactual.most == 0
    assert recipe.augmentation == Augmentation()
    assert not any(
        value
        for key, value in dataclasses.asdict(Augmentation()).items()
        if key not in ("scale", "strength_from")
    )


def test_the_defaults_are_those_of_a_bare_recipe(tmp_path: Path) -> None:
    noted = dataclasses.asdict(read_recipe(written(tmp_path, NUMBERS)))
    defaults = recipe_defaults()
    assert set(noted) - set(defaults) == {
        "name",
        "epochs",
        "batch_size",
        "learning_rate",
        "weight_decay",
    }
    assert all(noted[key] == value for key, value in defaults.items())


@pytest.mark.parametrize(
    ("model", "recipe", "name"),
    [
        ("cvt-slim", "cvt-slim-cpu", "slim-192-turns"),
        ("efficientnet-lite", "efficientnet-lite-cpu", "efficientnet-lite-cpu"),
    ],
)
def test_the_shipped_weights_were_trained_with_the_shipped_recipe(
    model: str, recipe: str, name: str
) -> None:
    folder = Path(__file__).parents[2] / "export" / "checkpoints" / model
    used = json.loads((folder / "training.json").read_text(encoding="utf-8"))["recipe"]
    shipped = json.loads(json.dumps(dataclasses.asdict(read_recipe(recipe))))
    assert used.pop("name") == name
    shipped.pop("name")
    for key, default in json.loads(json.dumps(recipe_defaults())).items():  # keys that came later
        used[key] = (
            {**default, **used.get(key, {})}
            if isinstance(default, dict)
            else used.get(key, default)
        )
    assert used == shipped
