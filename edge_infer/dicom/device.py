"""Which kind of scanner made a slice: words of fixed lists, out of two free texts of the header.

The texts themselves are kept nowhere: anybody may have typed into them. So a maker that is not listed here is unknown,
and of a model only the listed words are told.
"""

import re

from edge_infer.dicom.frames import Frame
from edge_infer.dicom.texts import texts_of

__all__ = ["device_of"]

#: Makers by a word of their name.
_MAKERS = {
    "BRUKER": "Bruker",
    "CANON": "Canon",
    "ESAOTE": "Esaote",
    "FUJIFILM": "Fujifilm",
    "GE": "GE",
    "HITACHI": "Hitachi",
    "HYPERFINE": "Hyperfine",
    "NEUSOFT": "Neusoft",
    "PHILIPS": "Philips",
    "SIEMENS": "Siemens",
    "TOSHIBA": "Toshiba",
    "UIH": "United Imaging",
    "UNITED": "United Imaging",
}
#: The words of their models.
_MODELS = {
    "Bruker": "BioSpec ClinScan PharmaScan",
    "Canon": "Centurian Elan Excelart Fortian Galan Orian Titan Vantage",
    "Esaote": "Brio Grande Magnifico O-scan Open S-scan",
    "Fujifilm": "Airis Aperto Echelon Lucent Oasis Oval Smart Synergy Velocity",
    "GE": (
        "AIR Architect Artist Brivo Champion Creator Discovery EXCITE Excel Explorer Genesis HD HDe HDi HDx HDxt Hero "
        "Horizon LX MR355 MR360 MR450 MR450w MR750 MR750w Optima PET Pioneer Premier Prime Profile Signa UHP Victor "
        "Voyager Works XT"
    ),
    "Hitachi": "Airis Altaire Aperto Echelon Elite II III Oasis Oval Smart Vento",
    "Hyperfine": "Swoop",
    "Neusoft": "NeuMR Rena Universal",
    "Philips": (
        "5300 7700 Achieva Ambition BlueSeal CX dStream Elition Evolution Gyroscan Ingenia Ingenuity Intera MR Multiva "
        "NT Panorama Prodiva S TX X"
    ),
    "Siemens": (
        "Aera Allegra Altea Amira Avanto Biograph Cima.X Concerto Connectom Espree Essenza Fit Flow Free.Max Free.Star "
        "Harmony Impact Lumina Magnetom mMR Open Plus Prisma Sempra Skyra Sola Sonata Spectra Symphony SymphonyTim "
        "Terra Terra.X Tim Trio TrioTim Verio Viato.Mobile Vida Vision"
    ),
    "Toshiba": "Atlas Elan Excelart Galan Opart Orian Powered Titan Vantage",
    "United Imaging": "560 570 580 588 660 670 680 770 780 790 870 880 890 Jupiter NX Omega uMR uPMR",
}
_FIELD = re.compile(r"[0-9](?:\.[0-9]{1,2})?T")
_WORDS = re.compile(r"[A-Za-z0-9.-]+")


def device_of(frame: Frame) -> str:
    """Return maker and model as far as they are listed here, such as ``Siemens Prisma Fit``; empty if unknown."""
    makers = (_MAKERS[word] for word in _words(frame, "Manufacturer") if word in _MAKERS)
    maker = next(makers, None)
    if maker is None:
        return ""
    listed = {word.upper(): word for word in _MODELS[maker].split()}
    told = [
        listed.get(word, word)
        for word in _words(frame, "ManufacturerModelName")
        if word in listed or _FIELD.fullmatch(word)
    ]
    return " ".join((maker, *dict.fromkeys(told)))


def _words(frame: Frame, keyword: str) -> list[str]:
    return [word.upper() for text in texts_of(frame, keyword)[:1] for word in _WORDS.findall(text)]
