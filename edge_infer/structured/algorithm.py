"""What is said of the algorithm in every object: TID 4019, device observer, contributing equipment."""

from collections.abc import Iterable
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from edge_infer.classifier import Classifier
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.structured.codes import dcm
from edge_infer.structured.items import MODIFIER, OBSERVED, code, code_item, text, uid_reference
from edge_infer.structured.uids import derived_uid
from edge_infer.structured.words import plain_ascii, short_text
from edge_infer.version import __version__

__all__ = ["MANUFACTURER", "Algorithm", "algorithm_of"]

MANUFACTURER = "brain-edge"

_PROCESSING = dcm("109102", "Processing Equipment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """Which algorithm a result comes from.

    Attributes:
        model: Name of the model.
        precision: ``fp32``, ``fp16`` or ``int8``.
        manifest_sha256: Digest of the bundle's manifest, which lists the digests of all its files.
        temperature: What logits are divided by.
        preprocessing: In words.
        scope: What reasons do: ``enforce``, ``report`` or ``off``.
        version: Of this software.
    """

    model: str
    precision: str
    manifest_sha256: str
    temperature: float
    preprocessing: str
    scope: str
    version: str = __version__

    @property
    def name(self) -> str:
        """Name of the whole."""
        return short_text(f"{MANUFACTURER} {self.model}")

    @property
    def device_uid(self) -> str:
        """The same wherever this version runs this bundle."""
        return derived_uid("device", self.version, self.manifest_sha256)

    def identification(self, rule: str) -> list[Dataset]:
        """Return the items of TID 4019, Algorithm Identification.

        Args:
            rule: How slices become a statement about the series; empty for a single slice.
        """
        parameters = [
            f"manifest_sha256={self.manifest_sha256}",
            f"precision={self.precision}",
            f"temperature={self.temperature:g}",
            f"preprocessing={self.preprocessing}",
            f"scope={self.scope}",
        ]
        if rule:
            parameters.append(f"series_rule={rule}")
        parameters.append(f"notice={RESEARCH_USE_ONLY}")
        return [
            text(dcm("111001", "Algorithm Name"), self.name, relation=MODIFIER),
            text(dcm("111003", "Algorithm Version"), self.version, relation=MODIFIER),
            text(dcm("122405", "Algorithm Manufacturer"), MANUFACTURER, relation=MODIFIER),
            *(
                text(dcm("111002", "Algorithm Parameters"), one, relation=MODIFIER)
                for one in parameters
            ),
            code(
                dcm("111000", "Algorithm Family"),
                dcm("123110", "Artificial Intelligence"),
                relation=MODIFIER,
            ),
        ]

    def observer(self) -> list[Dataset]:
        """Return the items of TID 1002 and 1004: the observer is a device."""
        return [
            code(dcm("121005", "Observer Type"), dcm("121007", "Device"), relation=OBSERVED),
            uid_reference(dcm("121012", "Device Observer UID"), self.device_uid),
            text(dcm("121013", "Device Observer Name"), self.name, relation=OBSERVED),
            text(dcm("121014", "Device Observer Manufacturer"), MANUFACTURER, relation=OBSERVED),
            text(
                dcm("121015", "Device Observer Model Name"),
                f"{self.model} {self.precision}",
                relation=OBSERVED,
            ),
        ]

    def add_equipment_to(self, dataset: Dataset) -> None:
        """Write the equipment modules, and the algorithm as contributing equipment (IHE AIR 6.5.3.1)."""
        dataset.Manufacturer = MANUFACTURER
        dataset.ManufacturerModelName = self.name
        dataset.DeviceSerialNumber = short_text(self.manifest_sha256)
        dataset.SoftwareVersions = self.version
        item = Dataset()
        item.PurposeOfReferenceCodeSequence = Sequence([code_item(_PROCESSING)])
        item.Manufacturer = MANUFACTURER
        item.ManufacturerModelName = self.name
        item.DeviceSerialNumber = short_text(self.manifest_sha256)
        item.SoftwareVersions = self.version
        item.DeviceUID = self.device_uid
        item.ContributionDescription = plain_ascii(RESEARCH_USE_ONLY)
        dataset.ContributingEquipmentSequence = Sequence([item])


def algorithm_of(classifier: Classifier) -> Algorithm:
    """Return which algorithm a classifier is."""
    model = classifier.model
    config = classifier.bundle.preprocessor
    return Algorithm(
        model=model.name,
        precision=model.precision,
        manifest_sha256=model.manifest_sha256,
        temperature=float(classifier.bundle.temperature),
        preprocessing=(
            f"8-bit grey, stretched to {config.width} x {config.height} pixels, resample {config.resample}, "
            f"rescale_factor {config.rescale_factor:.6g}, image_mean {_numbers(config.image_mean)}, "
            f"image_std {_numbers(config.image_std)}"
        ),
        scope=classifier.scope,
    )


def _numbers(values: Iterable[float]) -> str:
    return "/".join(f"{value:.6g}" for value in values)
