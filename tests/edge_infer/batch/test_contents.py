"""The bytes of images, with a thread beside that a time limit left behind."""

import zipfile
from pathlib import Path

from edge_infer.batch.contents import Contents
from edge_infer.batch.units import Unit


def test_another_thread_that_closes_the_archive_takes_no_members_away(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("1.png", b"one")
    contents = Contents()

    class Meanwhile(str):
        """A place whose comparison is when the other thread has its turn."""

        __slots__ = ()
        __hash__ = str.__hash__

        def __ne__(self, other: object) -> bool:
            is_other = str(self) != other
            contents.let_go()
            return is_other

    assert contents.read(Unit(kind="image", source=str(path), members=("1.png",))) == b"one"
    unit = Unit(kind="image", source=Meanwhile(path), members=("1.png",))
    assert contents.read(unit) == b"one"
