"""The sections of a recipe: augmentation, counterfactual images, mixing, masks, distillation, autoencoder."""

from dataclasses import dataclass

__all__ = [
    "Augmentation",
    "Autoencoder",
    "Counterfactuals",
    "Distillation",
    "MaskGuidance",
    "Mixing",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """How strongly training images are varied; 0 switches a part off.

    Attributes:
        rotation_degrees: Uniform in plus or minus this.
        scale: Smallest and largest side of the crop relative to the image (over 1 zooms out, black around).
        aspect: Uniform stretch of the width relative to the height, plus or minus this share.
        shift: Uniform shift, plus or minus this share of the side.
        horizontal_flip: Probability.
        vertical_flip: Probability.
        brightness: Grey levels are multiplied with a uniform factor, 1 plus or minus this.
        contrast: Differences from the image's mean are multiplied with a uniform factor, 1 plus or minus this.
        gamma: The exponent's natural logarithm is uniform in plus or minus this.
        noise: Largest standard deviation of Gaussian noise, in grey levels of 0..1.
        blur: Probability of a 3 x 3 binomial blur.
        erase: Probability that one rectangle is erased (random erasing, arXiv 1708.04896).
        quarter_turns: Probability of a turn by 90, 180 or 270 degrees.
        contrast_curve: A random rising curve of grey levels, its six slopes' natural logarithms uniform in plus or
            minus this.
        non_monotone: Probability of a random curve that rises and falls: other sequences show other tissues bright.
            Black stays black.
        bias_field: Largest amplitude of a smooth field that grey levels are multiplied with.
        low_resolution: Probability that the image is shrunk and enlarged again, by a factor of up to 2.2.
        jpeg: Probability of JPEG compression, at a quality of 10 to 80.
        frame: Probability of a black, grey or white frame, or of a text-like mark near a corner.
        strength_from: Share of full strength in the first epoch, rising linearly to 1 at half time.
    """

    rotation_degrees: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    aspect: float = 0.0
    shift: float = 0.0
    horizontal_flip: float = 0.0
    vertical_flip: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    gamma: float = 0.0
    noise: float = 0.0
    blur: float = 0.0
    erase: float = 0.0
    quarter_turns: float = 0.0
    contrast_curve: float = 0.0
    non_monotone: float = 0.0
    bias_field: float = 0.0
    low_resolution: float = 0.0
    jpeg: float = 0.0
    frame: float = 0.0
    strength_from: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterfactuals:
    """How often an image is replaced by a counterfactual twin (``train.counterfactuals``); needs tumour masks.

    Attributes:
        removed: Probability, of an image with a tumour, that it is shown without it, as ``no_tumor``.
        pasted: Probability, of a healthy head, that it is shown with another image's tumour.
        harmless: Probability, of any image, that a healthy place is covered in the same way; its label stays.
    """

    removed: float = 0.0
    pasted: float = 0.0
    harmless: float = 0.0

    def __post_init__(self) -> None:
        shares = (self.removed, self.pasted, self.harmless)
        if not all(share >= 0 for share in shares) or not self.most <= 1:
            raise ValueError(
                "removed, pasted and harmless must not be negative, and neither removed + harmless "
                "nor pasted + harmless may exceed 1"
            )

    @property
    def most(self) -> float:
        """The largest share of any class's images that is replaced; 0 if there are no counterfactual images."""
        return max(self.removed, self.pasted) + self.harmless


@dataclass(frozen=True, slots=True, kw_only=True)
class Distillation:
    """How a teacher guides, where one is given (arXiv 1503.02531; features: arXiv 2207.10026).

    Attributes:
        temperature: Softens both distributions.
        logit_weight: Share of the teacher in the classification loss, 0..1.
        feature_weight: Weight of one minus the cosine between student and teacher features.
        feature_until: Share of the training after which the feature guidance has faded to nothing.
    """

    temperature: float = 3.0
    logit_weight: float = 0.5
    feature_weight: float = 1.0
    feature_until: float = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoencoder:
    """How the layers of the stacked autoencoder are trained, before its classifier and after.

    Attributes:
        epochs: Passes over the training part for each layer.
        learning_rate: Peak of each layer's schedule.
        finetune_epochs: Passes with encoders and classifier together at the end; 0 keeps the encoders frozen.
        finetune_learning_rate: Peak of that schedule.
    """

    epochs: int = 20
    learning_rate: float = 1e-3
    finetune_epochs: int = 0
    finetune_learning_rate: float = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskGuidance:
    """How tumour masks guide the evidence, where they are known (``train.loop.mask_loss``).

    Attributes:
        weight: Weight of the mask loss relative to the loss on the labels; 0 switches it off. With the head
            ``two-questions`` it is the loss on every place (``train.loop.place_loss``).
    """

    weight: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixing:
    """How images are mixed with one another: mixup (arXiv 1710.09412) and CutMix (arXiv 1905.04899).

    Attributes:
        mixup_alpha: Parameter of the beta distribution of the shares; 0 switches mixup off.
        cutmix_alpha: The same for CutMix. With both, each batch takes one of them at random.
        probability: Probability that an image is mixed.
        until: Share of the training after which images are no longer mixed.
    """

    mixup_alpha: float = 0.0
    cutmix_alpha: float = 0.0
    probability: float = 1.0
    until: float = 1.0
