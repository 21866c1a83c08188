"""Errors that a user can act on, told from process to process as plain words: no pickle, and no frames of a reader."""

from collections.abc import Iterator, Mapping

from edge_infer.errors import BrainError, RunError

__all__ = ["as_words", "from_words"]


def as_words(error: BrainError) -> dict[str, str]:
    """Return what ``from_words`` takes."""
    return {"code": error.code, "message": error.message, "hint": error.hint}


def from_words(words: Mapping[str, str]) -> BrainError:
    """Return an error of the same code, message and hint."""
    for kind in _kinds(BrainError):
        if kind.code == words["code"]:
            told = kind.__new__(kind, words["message"])  # some want more than words
            BrainError.__init__(told, words["message"], hint=words["hint"])
            return told
    return RunError(words["message"], hint=words["hint"])


def _kinds(kind: type[BrainError]) -> Iterator[type[BrainError]]:
    for below in kind.__subclasses__():
        if below.code != BrainError.code:
            yield below
        yield from _kinds(below)
