"""The README.md of the folder, for whoever finds it on a server."""

from collections.abc import Mapping
from typing import Any

from edge_infer.contract import RESEARCH_USE_ONLY

__all__ = ["readme_of"]


def readme_of(decision: Mapping[str, Any]) -> str:
    """Return the text.

    Args:
        decision: Of decision.json.
    """
    model, versions = decision["model"], decision["versions"]
    return f"""# brain-edge: the page without a server

**{RESEARCH_USE_ONLY}**

A page that classifies images of brain MRI in the browser with {model["name"]} ({model["precision"]}, bundle
{model["manifest_sha256"][:12]}), onnxruntime-web {versions["onnxruntime-web"]} and brain-edge {versions["brain-edge"]}.
Images stay on the machine of whoever opens it; nothing is fetched but the files of this folder.

Serve the folder with any static web server, for one workstation with

    python3 -m http.server --bind 127.0.0.1 8000

and open http://127.0.0.1:8000/ . Opened as a file (file://) it does not start: browsers forbid modules and workers
there. It reads JPEG and PNG. `manifest.json` lists the digests of all files; the page checks them before it starts.

Licences: brain-edge Apache-2.0; onnxruntime-web MIT (onnxruntime/LICENSE.txt).
"""
