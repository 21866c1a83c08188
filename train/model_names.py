"""Names of the models, for help texts: importing the models themselves needs torch and takes seconds."""

__all__ = ["MODEL_NAMES"]

#: All of ``train.models.MODELS`` except the one for tests, the most used first.
MODEL_NAMES = ("efficientnet-lite", "cvt13", "cvt-slim", "vit", "vit-base", "sae", "resnet18")
