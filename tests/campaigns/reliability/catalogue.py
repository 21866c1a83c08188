"""Where each campaign is written; a module is imported only when its campaign is asked for."""

import importlib

from reliability.campaign import Campaign

__all__ = ["MODULES", "campaign"]

#: In the order of the list. A module holds one ``CAMPAIGN``.
MODULES = {
    "R1": "reliability.inputs.images",
    "R2": "reliability.inputs.dicoms",
    "R3": "reliability.inputs.niftis",
    "R4": "reliability.inputs.truncation",
    "R5": "reliability.inputs.bombs",
    "R6": "reliability.inputs.twins",
    "R7": "reliability.bundles.tampered",
    "R8": "reliability.bundles.hostile",
    "R9": "reliability.bundles.signatures",
    "R10": "reliability.kills.export_kills",
    "R11": "reliability.kills.training_kills",
    "R12": "reliability.kills.failing_calls",
    "R13": "reliability.kills.full_disks",
    "R14": "reliability.kills.planted_faults",
    "R15": "reliability.runtime.threads",
    "R16": "reliability.runtime.forks",
    "R17": "reliability.runtime.soak",
    "R18": "reliability.runtime.sealed",
    "R19": "reliability.runtime.privacy",
    "R20": "reliability.network.service",
    "R21": "reliability.network.hospital",
    "R22": "reliability.gates.audit_log",
    "R23": "reliability.bundles.int8_against_float",
    "R25": "reliability.elsewhere.agreement",
    "R26": "reliability.gates.static_gates",
    "R27": "reliability.gates.mutation",
}


def campaign(name: str) -> Campaign:
    """Return a campaign by its id, or by the dotted name of a module that is in no list.

    Raises:
        ImportError: There is none of this name.
    """
    found: Campaign = importlib.import_module(MODULES.get(name, name)).CAMPAIGN
    if found.id != name:
        raise ValueError(f"{MODULES.get(name, name)} calls itself {found.id}, asked for was {name}")
    return found
