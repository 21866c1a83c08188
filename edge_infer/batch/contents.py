"""The bytes of an image, wherever it lies: a file, a member of an archive, or a URL."""

from pathlib import Path

from edge_infer.batch.locations import is_url
from edge_infer.batch.remote import read_url
from edge_infer.batch.units import Unit
from edge_infer.batch.zip_units import member_name, open_archive
from edge_infer.errors import UnreadableInput
from edge_infer.image_file import read_file
from edge_infer.image_limits import MAX_FILE_BYTES
from edge_infer.names import shown_name
from edge_infer.series.archive import Member

__all__ = ["Contents", "shown_place"]


class Contents:
    """Reads images; the archive that was used last stays open, since its members come one after the other."""

    def __init__(self) -> None:
        # One attribute, read once: a thread that a time limit left behind may still be here.
        self._opened: tuple[str, dict[str, Member]] = ("", {})

    def read(self, unit: Unit) -> bytes:
        """Return the whole content of an image.

        Raises:
            InputError: It cannot be read, is damaged within its archive, encrypted, or over a limit.
            MissingDependency: It lies at a URL that nothing installed here can read.
        """
        if unit.members:
            member = self._member(unit.source, unit.members[0])
            member.start()  # which checks what reading it would cost
            return member.file.read()
        self.let_go()
        if is_url(unit.source):
            return read_url(unit.source, limit=MAX_FILE_BYTES)
        return read_file(Path(unit.source))

    def let_go(self) -> None:
        """Close the archive that is open."""
        self._opened = ("", {})

    def _member(self, archive: str, name: str) -> Member:
        opened, members = self._opened
        if archive != opened:
            self.let_go()
            # Of several members of one name the last one counts, as in the plan.
            members = {member_name(archive, one): one for one in open_archive(archive).members()}
            self._opened = (archive, members)
        member = members.get(name)
        if member is None:
            raise UnreadableInput(
                f"{shown_name(archive)}!{shown_name(name)}: is not in the archive any more",
                hint="restore the archive, or begin anew",
            )
        return member


def shown_place(unit: Unit) -> str:
    """Return what messages call an image."""
    return f"{unit.source}!{unit.members[0]}" if unit.members else unit.source
