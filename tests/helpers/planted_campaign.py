"""A campaign whose trials do what its number says: hold, break, raise, die or hang."""

import os
import signal
import time
from pathlib import Path

from reliability.campaign import Broken, Campaign, Seen, Subject


def _trial(_: None, number: int, folder: Path) -> str | Seen:
    assert list(folder.iterdir()) == []
    (folder / "left behind").touch()
    match number:
        case 3:
            raise Broken("as planted")
        case 4:
            raise KeyError("unnamed")
        case 5:
            os.kill(os.getpid(), signal.SIGSEGV)
        case 6:
            time.sleep(60)
        case 7:
            time.sleep(0.6)
        case 8:
            return Seen(kind="many", figures={"size, MB": 8.0}, tries=10)
    return Seen(kind="held", figures={"size, MB": number / 10})


CAMPAIGN = Campaign(
    id="planted_campaign",
    title="Planted",
    promise="None.",
    attack="does what its number says",
    unit="trials",
    subjects={
        "ours": Subject(trial=_trial, what="planted faults"),
        "control": Subject(trial=lambda _prepared, _number, _folder: "held", what="never fails"),
    },
    ci={"ours": 10, "control": 3},
    full={"ours": 10, "control": 3},
    limit_s=0.5,
    prepare_s=6,
    chunk=5,
)
