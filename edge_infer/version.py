"""The version of the distribution; a test compares it with pyproject.toml."""

__all__ = ["__version__"]

__version__ = "0.2.0"
