"""Names of the models, for help texts: to import the models themselves takes torch and seconds."""

__all__ = ["MODEL_NAMES"]

#: All of ``train.models.MODELS`` but the one for tests, in the order in which users meet them.
MODEL_NAMES = ("cvt13", "cvt-slim", "vit", "vit-base", "sae", "resnet18")
