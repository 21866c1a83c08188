"""Python runs this at its start, where the folder is in PYTHONPATH: who opens a file called poison dies.

So an image kills its process as a crashing decoder would, and nothing of the program is changed for it.
"""

import os
import signal
import sys
from pathlib import PurePath


def _die_of_poison(event: str, arguments: tuple[object, ...]) -> None:
    path = arguments[0] if event == "open" else None
    if isinstance(path, str) and PurePath(path).stem == "poison":
        os.kill(os.getpid(), signal.SIGKILL)


sys.addaudithook(_die_of_poison)
