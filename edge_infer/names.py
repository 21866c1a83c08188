"""How a file's name is shown to people: nothing in it may steer a terminal or break a line."""

__all__ = ["shown_name"]


def shown_name(name: object) -> str:
    r"""Return ``str(name)`` with control characters and undecodable bytes as ``\x1b``-like escapes.

    JSON carries the exact name; messages, tables and pages carry this one.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in str(name)
    )
