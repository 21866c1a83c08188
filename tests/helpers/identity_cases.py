"""Headers of patients and studies as they come: in many character sets, and not valid in many ways."""

from typing import Any

from dicom_files import drawn_volume, mr_series, scan_file
from series_results import ALGORITHM, dicom_slices, series_result
from stored_values import with_values

from edge_infer.structured.write import build_results

__all__ = ["CHARACTER_SET", "KEPT", "NAME", "OTHERS", "REPAIRED", "results_for"]

NAME, ID, ACCESSION, STUDY_ID = 0x00100010, 0x00100020, 0x00080050, 0x00200010
CHARACTER_SET, BIRTH, DATE, TIME, SEX = 0x00080005, 0x00100030, 0x00080020, 0x00080030, 0x00100040

#: Names in their character sets; the Japanese, Korean and Chinese ones are the examples of PS3.5 Annexes H, I and J.
KEPT = {
    "utf-8": (b"ISO_IR 192", "Müller^Zoë=山田^太郎".encode()),
    "latin-1": (b"ISO_IR 100", "Müller^Zoë".encode("latin-1")),
    "cyrillic": (b"ISO_IR 144", "Люк^Иван".encode("iso8859_5")),
    "japanese": (
        b"\\ISO 2022 IR 87",
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
    ),
    "japanese half width": (
        b"ISO 2022 IR 13\\ISO 2022 IR 87",
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
    ),
    "korean": (
        b"\\ISO 2022 IR 149",
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
    ),
    "chinese": (b"GB18030", "Wang^XiaoDong=王^小东".encode("gb18030")),
    "ideographic space": (b"ISO_IR 192", "山田\u3000太郎".encode()),
}

REPAIRED = {
    "no character set": (b"", "Müller^Zoë".encode("latin-1"), "Müller^Zoë"),
    "utf-8 without saying so": (b"", "Müller^Zoë".encode(), "Müller^Zoë"),
    "another character set": (b"ISO_IR 192", "Müller^Zoë".encode("latin-1"), "Müller^Zoë"),
    "no term of DICOM": (b"ISO-8859-1", "Müller^Zoë".encode("latin-1"), "Müller^Zoë"),
    "too long": (b"ISO_IR 192", ("A" * 80 + "^Zo").encode(), "A" * 64),
    "too long, not ASCII": (b"ISO_IR 192", ("Ü" * 80).encode(), "Ü" * 32),
    "control characters": (b"", b"Doe\x01^\nJane", "Doe^Jane"),
    "two names": (b"", b"Doe^Jane\\Roe^Jack", "Doe^Jane"),
    "too many parts": (b"", b"A^B^C^D^E^F=x=y=z", "A^B^C^D^E=x=y"),
}

OTHERS = {
    "a long ID": (ID, b"X" * 65, "PatientID", ""),
    "an ID of the longest length": (ID, b"X" * 64, "PatientID", "X" * 64),
    "two IDs": (ID, b"A1\\B2", "PatientID", ""),
    "a long accession number": (ACCESSION, b"A" * 17, "AccessionNumber", ""),
    "a long study ID": (STUDY_ID, b"A" * 17, "StudyID", ""),
    "a date of ACR-NEMA": (DATE, b"2004.01.19", "StudyDate", "20040119"),
    "no such day": (BIRTH, b"19990230", "PatientBirthDate", ""),
    "a word for a date": (BIRTH, b"JANE", "PatientBirthDate", ""),
    "a time of ACR-NEMA": (TIME, b"12:34:56.7", "StudyTime", "123456.7"),
    "a leap second": (TIME, b"235960", "StudyTime", "235959"),
    "no such time": (TIME, b"246000", "StudyTime", ""),
    "a word for the sex": (SEX, b"female", "PatientSex", ""),
    "a small letter": (SEX, b"f ", "PatientSex", "F"),
}


def results_for(values: dict[int, bytes]) -> list[Any]:
    """The objects of a short series whose files all have these stored values."""
    files = [
        scan_file(with_values(dataset, values), f"{number}.dcm")
        for number, dataset in enumerate(mr_series(drawn_volume(slices=4, rows=32, columns=32)))
    ]
    return build_results(series_result(dicom_slices(files)), ALGORITHM)
