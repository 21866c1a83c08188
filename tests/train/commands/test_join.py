"""``brain-data join``, on phantoms and on a set of another maker beside them."""

import csv
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import train.cli
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.preprocessing import PreprocessorConfig
from train.commands.data import main
from train.data.layouts import load_samples
from train.data.tumour_masks import MaskCache
from train.phantoms import phantom
from train.splits.leaks import find_leaks

SIZE = 64


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def root(phantom_folder: Path, tmp_path: Path) -> Path:
    """own/: a set of this project. other/: 6 patients with a tumour, its mask and a free slice; others beside."""
    shutil.copytree(phantom_folder, tmp_path / "root" / "own")
    other = tmp_path / "root" / "other"
    (other / "masks").mkdir(parents=True)
    rows = ["source,path,mask,label,patient_id,volume,use,licence,note"]

    def draw(name: str, label: str, number: int) -> None:
        grey = phantom(label, np.random.default_rng(number), SIZE)
        Image.fromarray(grey).save(other / f"{name}.png")

    for number in range(6):
        draw(f"p{number}_tumour", "glioma", 1000 + number)
        draw(f"p{number}_free", "no_tumor", 2000 + number)
        inside = np.zeros((SIZE, SIZE), dtype=bool)
        inside[20:34, 40:56] = True
        Image.fromarray(inside).save(other / "masks" / f"p{number}.png")
        rows.append(
            f"btp,p{number}_tumour.png,masks/p{number}.png,glioma,b{number},v,train,CC BY 3.0,"
        )
        rows.append(f"btp,p{number}_free.png,,no_tumor,b{number},v,train,CC BY 3.0,")
    for name, label, number in (("lgg0", "glioma", 3000), ("rad0", "meningioma", 3001)):
        draw(name, label, number)
    rows.append("lgg,lgg0.png,,glioma,L1,,validate,evaluate only,")
    rows.append("rad,rad0.png,,out_of_scope,,,train,CC0,")
    (other / "manifest.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "root"


def join(root: Path, *more: object) -> tuple[int, str, str]:
    manifests = root / "own" / "manifest.csv", root / "other" / "manifest.csv"
    return run("join", *manifests, "--output", root / "new" / "joined.csv", *more)


@pytest.fixture
def joined(root: Path) -> Path:
    (root / "new").mkdir()
    return root / "new" / "joined.csv"


def test_the_joined_manifest_has_all_images_parts_groups_and_masks(
    root: Path, joined: Path, tmp_path: Path
) -> None:
    code, out, err = join(root)
    assert (code, "warning" in err) == (0, False)
    samples = load_samples(root, manifest=joined)
    assert len(samples) == 40 + 12 + 1
    own = {s.name: s for s in samples if s.name.startswith("../own/")}
    before = load_samples(root / "own", manifest=root / "own" / "manifest.csv")
    assert [(s.split, s.group) for s in own.values()] == [(s.split, s.group) for s in before]
    btp = [s for s in samples if s.dataset == "btp"]
    assert {s.group for s in btp} == {f"btp/b{number}" for number in range(6)}
    assert {s.split for s in btp} == {"train", "val", "test"}
    assert all(s.original_size == (SIZE, SIZE) for s in samples)
    masks = MaskCache.build(
        samples, PreprocessorConfig(height=SIZE, width=SIZE), tmp_path / "cache"
    )
    assert [s.class_name for s, known in zip(samples, masks.known, strict=True) if known] == [
        "glioma"
    ] * 6
    assert not find_leaks(samples)
    assert out.splitlines()[-1] == RESEARCH_USE_ONLY


def test_it_names_licences_and_what_is_not_trained_on(root: Path, joined: Path) -> None:
    code, out, err = join(root, "--hold-out", "btp/b3", "--val", 0, "--test", 0)
    assert code == 0
    lines = out.splitlines()
    assert re.fullmatch(
        r".*: 28 train, 4 val, 8 test; licence: not stated in its manifest", lines[0]
    )
    assert lines[1] == "btp: 10 train, 0 val, 2 test; licence: CC BY 3.0"
    assert lines[2] == "lgg: 0 train, 0 val, 1 test; licence: evaluate only"
    assert "left out: 1 image of classes other than glioma, " in err
    assert "1 out_of_scope of rad" in err
    assert "in the test part, since they may not be trained on: 1 image of lgg;" in err
    with joined.open() as file:
        table = list(csv.DictReader(file))
    tested = [row["path"] for row in table if row["proposed_split"] == "test"]
    assert [name for name in tested if "other" in name] == [
        "../other/p3_tumour.png",
        "../other/p3_free.png",
        "../other/lgg0.png",
    ]
    assert table[-3]["mask"] == "../other/masks/p5.png"


def test_the_same_seed_gives_the_same_file(root: Path, joined: Path) -> None:
    assert join(root, "--seed", 3)[0] == 0
    first = joined.read_bytes()
    assert join(root, "--seed", 3)[0] == 0
    assert joined.read_bytes() == first
    assert join(root, "--seed", 4)[0] == 0
    assert joined.read_bytes() != first


def test_data_sets_are_chosen_and_folds_can_be_made_of_them(
    root: Path, joined: Path, tmp_path: Path
) -> None:
    code, out, err = join(root, "--dataset", "btp", "--val", 0, "--test", 0)
    assert code == 0
    assert out.startswith("btp: 12 train, 0 val, 0 test; licence: CC BY 3.0\n")
    assert "warning: there is no image of meningioma in train, pituitary in train" in err
    split = ("folds", "split", "--data", root, "--manifest", joined, "--folds", 2)
    folders = ("--output", tmp_path / "folds", "--cache", tmp_path / "cache")
    result = CliRunner().invoke(train.cli.main, [str(word) for word in (*split, *folders)])
    assert result.exit_code == 0, result.stderr
    folds = [load_samples(root, manifest=tmp_path / "folds" / f"fold-{n}.csv") for n in (1, 2)]
    assert all(sum(sample.mask is not None for sample in fold) == 6 for fold in folds)


def test_a_joined_manifest_can_be_joined_again(root: Path, joined: Path) -> None:
    assert join(root)[0] == 0
    again = root / "again.csv"
    assert run("join", joined, "--output", again)[0] == 0
    first, second = (load_samples(root, manifest=path) for path in (joined, again))
    assert [(s.split, s.group, s.dataset) for s in first] == [
        (s.split, s.group, s.dataset) for s in second
    ]
    assert [s.mask and s.mask.resolve() for s in first] == [
        s.mask and s.mask.resolve() for s in second
    ]


def test_what_cannot_be_joined_is_named_and_nothing_is_written(root: Path, joined: Path) -> None:
    (root / "other" / "masks" / "p2.png").unlink()
    (root / "other" / "p4_free.png").write_bytes(b"no image")
    code, _, err = join(root)
    assert code == 26
    assert "p2_tumour.png: its mask p2.png is missing or no file" in err
    assert "p4_free.png: corrupt" in err
    for words, status in (
        (("--dataset", "nowhere"), 26),
        (("--hold-out", "b1"), 26),
        (("--dataset", "rad"), 21),
        (("--val", 0.5, "--test", 0.5), 2),
    ):
        assert join(root, *words)[0] == status
    assert not joined.exists()
    own = root / "own" / "manifest.csv"
    assert run("join", own, own, "--output", joined)[0] == 26
    assert run("join", "--output", joined)[0] == 2
    assert run("join", root / "none.csv", "--output", joined)[0] == 20
