"""Whether a campaign's figures say what they should, and what is published of them."""

from typing import Any

from reliability.campaign import Campaign

__all__ = ["described", "faults"]

#: Tries of ours from which on shares of what happened are judged.
_ENOUGH = 100


def faults(chosen: Campaign, sums: dict[str, dict[str, Any]]) -> list[str]:
    """Return what is wrong, as sentences: failures of ours, and a negative control that held.

    An attack that cannot make anything fail proves nothing, so a control without failures is a fault of the campaign.
    """
    found = []
    ours, control = sums["ours"], sums["control"]
    if ours["failed"]:
        found.append(f"the promise did not hold in {ours['failed']} of {ours['trials']} trials")
    if ours["trials"] and not control["trials"]:
        found.append("the negative control was not run")
    if control["trials"] and not control["failed"]:
        found.append(f"the negative control held in all of {control['trials']} trials")
    if control["trials"] and control["failed"] < chosen.control_share * control["trials"]:
        share = control["failed"] / control["trials"]
        found.append(
            f"the negative control failed in {share:.0%}, expected {chosen.control_share:.0%}"
        )
    for words, least in chosen.least.items():
        count = sum(n for kind, n in ours["kinds"].items() if kind.startswith(words))
        if ours["tries"] >= _ENOUGH and count < least * ours["tries"]:
            found.append(f"{words}: {count} of {ours['tries']}, expected {least:.0%} or more")
    return found


def described(chosen: Campaign, sums: dict[str, dict[str, Any]], *, command: str) -> dict[str, Any]:
    """Return what is published of a campaign."""
    return {
        "title": chosen.title,
        "promise": chosen.promise,
        "attack": chosen.attack,
        "unit": chosen.unit,
        "command": command,
        "planned": dict(chosen.full),
        "subjects": {
            name: {"what": chosen.subjects[name].what, **counted} for name, counted in sums.items()
        },
        "faults": faults(chosen, sums),
    }
