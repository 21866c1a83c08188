import logging
import shutil
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from edge_infer.classes import BRAIN, Classes
from edge_infer.errors import DataRefused
from train.data.class_choice import ClassChoice
from train.data.labelling import labelling
from train.data.layouts import load_samples
from train.data.samples import classes_of

Tree = Callable[..., Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Write a folder with one image in each of the named class folders, in each part."""

    def write(*names: str, parts: tuple[str, ...] = ("",)) -> Path:
        for part in parts:
            for name in names:
                folder = tmp_path / "set" / part / name
                folder.mkdir(parents=True)
                Image.linear_gradient("L").resize((40, 40)).save(folder / "a.png")
        return tmp_path / "set"

    return write


def asked(classes: str | None, negative: str | None = None) -> ClassChoice:
    return ClassChoice.of_options(classes, negative)


@pytest.mark.parametrize("parts", [("",), ("train", "val", "test")])
def test_folders_of_other_names_are_classes_in_sorted_order(
    tree: Tree, parts: tuple[str, ...]
) -> None:
    samples = load_samples(tree("torn", "Bruch links", "größer", parts=parts))
    assert classes_of(samples) == Classes(("Bruch links", "größer", "torn"))
    assert Counter(sample.class_name for sample in samples) == dict.fromkeys(
        ("Bruch links", "größer", "torn"), len(parts)
    )
    assert len({id(sample.classes) for sample in samples}) == 1


@pytest.mark.parametrize("count", [2, 3, 100])
def test_two_to_a_hundred_classes_are_taken(tree: Tree, count: int) -> None:
    names = [f"k{number:03d}" for number in range(count)]
    samples = load_samples(tree(*names))
    assert classes_of(samples).names == tuple(names)
    assert [sample.label for sample in samples] == list(range(count))


@pytest.mark.parametrize("count", [1, 101])
def test_one_class_or_more_than_a_hundred_are_refused(tree: Tree, count: int) -> None:
    with pytest.raises(DataRefused, match=f"found {count} classes"):
        load_samples(tree(*(f"k{number:03d}" for number in range(count))))


def test_names_of_brain_classes_are_the_four_as_ever(tree: Tree) -> None:
    some = load_samples(tree("glioma_tumor", "Pituitary"))
    assert classes_of(some) is BRAIN
    assert [sample.label for sample in some] == [3, 0]  # folders in sorted order, upper case first


def test_a_name_beside_those_of_brain_classes_is_refused_and_the_option_is_named(
    tree: Tree,
) -> None:
    root = tree("glioma", "no_tumor", "normal", "metastasis")
    with pytest.raises(DataRefused) as caught:
        load_samples(root)
    assert "metastasis: unknown class" in caught.value.message
    assert "normal: unknown class" in caught.value.message
    assert "glioma:" not in caught.value.message
    assert "--classes" in str(caught.value.hint)
    samples = load_samples(root, choice=asked("no_tumor,glioma,metastasis,normal=no_tumor"))
    assert classes_of(samples) == Classes(("no_tumor", "glioma", "metastasis"), "no_tumor")
    assert Counter(x.class_name for x in samples) == {"no_tumor": 2, "glioma": 1, "metastasis": 1}


def test_classes_are_ordered_and_renamed(tree: Tree) -> None:
    root = tree("a", "b", "c")
    samples = load_samples(root, choice=asked("c=torn ligament, a,b = whole", "whole"))
    assert classes_of(samples) == Classes(("torn ligament", "a", "whole"), "whole")
    assert [sample.class_name for sample in samples] == ["a", "whole", "torn ligament"]


@pytest.mark.parametrize(
    ("classes", "negative", "message"),
    [
        ("a,b", None, "c: unknown class"),
        ("a,b,c,d", None, "no class 'd'"),
        ("a,b,,c", None, "empty name"),
        ("", None, "empty name"),
        ("a,b,c,a", None, "names a twice"),
        ("a=x,b=x,c=x", None, "found 1 classes"),
        ("a=\x07,b,c", None, "cannot be the name"),
        (f"a={'x' * 201},b,c", None, "cannot be the name"),
        ("a,b,c=", None, "cannot be the name"),
        ("a,b,c", "d", "--negative d: is none of the classes a, b, c"),
        (None, "A", "--negative A: is none"),
    ],
)
def test_what_is_asked_and_not_there_is_refused(
    tree: Tree, classes: str | None, negative: str | None, message: str
) -> None:
    with pytest.raises(DataRefused) as caught:
        load_samples(tree("a", "b", "c"), choice=asked(classes, negative))
    assert message in caught.value.message


def test_commas_and_equals_signs_in_names_can_be_written(tree: Tree) -> None:
    root = tree("left, torn", "p=1", "whole")
    assert classes_of(load_samples(root)).names == ("left, torn", "p=1", "whole")
    samples = load_samples(root, choice=asked('whole,"left, torn"=left,p=1'))
    assert classes_of(samples).names == ("whole", "left", "p=1")
    again = load_samples(root, choice=asked('whole,"left, torn",p=1=one'))
    assert classes_of(again).names == ("whole", "left, torn", "one")


def test_letters_are_the_same_however_they_are_composed(tree: Tree) -> None:
    decomposed = unicodedata.normalize("NFD", "größer")
    assert decomposed != "größer"
    root = tree(decomposed, "kleiner")
    assert classes_of(load_samples(root)).names == ("größer", "kleiner")
    samples = load_samples(root, choice=asked("kleiner,größer"))
    assert [sample.label for sample in samples] == [1, 0]


def test_names_that_differ_in_upper_case_only_are_refused(tree: Tree) -> None:
    root = tree("Torn", "whole", parts=("train",))
    shutil.copytree(root / "train" / "Torn", root / "test" / "torn")
    with pytest.raises(DataRefused, match="differ in upper case only"):
        load_samples(root)
    joined = load_samples(root, choice=asked("Torn=torn,torn,whole"))
    assert Counter(sample.class_name for sample in joined) == {"torn": 2, "whole": 1}


def test_a_folder_of_data_sets_is_no_data_set(tree: Tree) -> None:
    root = tree("brisc/train", "other/glioma")
    with pytest.raises(DataRefused) as caught:
        load_samples(root)
    assert "brisc: holds parts or classes itself (train)" in caught.value.message
    assert "other: holds parts or classes itself (glioma)" in caught.value.message


def test_images_and_masks_are_no_classes(tree: Tree) -> None:
    root = tree("images", "masks", parts=("train",))
    with pytest.raises(DataRefused, match="train/masks: is named as no class is"):
        load_samples(root)
    assert len(load_samples(root, choice=asked("images,masks"))) == 2


def test_a_class_folder_beside_the_parts_is_refused(tree: Tree) -> None:
    root = tree("torn", "whole", parts=("train",))
    (root / "torn").mkdir()
    with pytest.raises(DataRefused, match="torn: a class folder beside the splits"):
        load_samples(root)


def test_a_model_says_which_classes_a_part_of_them_is(tree: Tree) -> None:
    model = Classes(("whole", "torn", "worn"), "whole")
    samples = load_samples(tree("torn", "whole"), choice=ClassChoice(model=model))
    assert classes_of(samples) is model
    assert [sample.label for sample in samples] == [1, 0]


def test_a_data_set_of_other_classes_is_not_measured(tree: Tree) -> None:
    root = tree("torn", "whole")
    with pytest.raises(DataRefused, match="torn: unknown class"):
        load_samples(root, choice=ClassChoice(model=BRAIN))
    with pytest.raises(DataRefused, match="whole: unknown class 'whole', expected one of torn, w"):
        load_samples(root, choice=ClassChoice(model=Classes(("torn", "w"))))
    choice = ClassChoice.of_options("whole,torn", None, model=Classes(("torn", "whole")))
    with pytest.raises(DataRefused, match="those of the model torn, whole"):
        load_samples(root, choice=choice)


def test_the_four_in_their_order_are_the_brain_classes_whatever_their_folders_are() -> None:
    choice = asked("x=glioma,y=meningioma,z=no_tumor,w=pituitary")
    known = labelling(["w", "x", "y", "z"], choice)
    assert known.classes is BRAIN
    assert [known.id_of(name) for name in "xyzw"] == [0, 1, 2, 3]
    with pytest.raises(DataRefused, match="unknown class 'glioma'"):
        known.id_of("glioma")


def test_classes_that_are_no_line_of_csv_are_refused_with_what_to_write() -> None:
    with pytest.raises(DataRefused, match="FOLDER or FOLDER=LABEL"):
        ClassChoice.of_options("cat=a\nb,dog x=c", None)


def test_what_programs_leave_behind_is_no_class(tree: Tree) -> None:
    root = tree("torn", "whole", parts=("train",))
    left = ("__pycache__", ".git", ".ipynb_checkpoints", "@eaDir", "__MACOSX", "node_modules")
    tree(*left, parts=("train", "train/torn"))
    samples = load_samples(root)
    assert classes_of(samples) == Classes(("torn", "whole"))
    assert [sample.name for sample in samples] == ["train/torn/a.png", "train/whole/a.png"]


def test_spellings_that_are_joined_are_named(tree: Tree, caplog: pytest.LogCaptureFixture) -> None:
    root = tree("gr\u00f6\u00dfer", "whole", parts=("train",))
    tree("gro\u0308\u00dfer ", "whole", parts=("test",))
    with caplog.at_level(logging.WARNING):
        samples = load_samples(root)
        load_samples(root, choice=asked("größer=x,whole"))
    assert Counter(sample.class_name for sample in samples) == {"größer": 2, "whole": 2}
    named = r"joined: 'gro\u0308\xdfer ' and 'größer' are spellings of the class "
    assert caplog.messages == [named + "größer", named + "x"]


def test_names_of_one_brain_class_are_joined_and_named(caplog: pytest.LogCaptureFixture) -> None:
    labelling(["glioma", "notumor", "no_tumor", "normal", "Notumor"])
    assert caplog.messages == [
        "joined: 'Notumor' and 'no_tumor' and 'notumor' are spellings of the class no_tumor"
    ]


def test_folders_that_are_joined_on_purpose_are_no_spellings(
    caplog: pytest.LogCaptureFixture,
) -> None:
    labelling(["a", "b", "c"], asked("a=x,b=x,c"))
    assert caplog.messages == []
