"""Read the config.pbtxt that brain-export --triton writes by the whole schema of NVIDIA's tritonclient.

    python tests/campaigns/triton_schema.py

Needs the network for pip. Runs tests/export/triton with that schema, and exits with pytest's status.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHECK = "import triton_schema; assert triton_schema.is_whole_schema()"


def main() -> None:
    """Fetch, then test."""
    with tempfile.TemporaryDirectory() as folder:
        # Into a folder of its own: it asks for older protobuf and ml_dtypes than onnx does.
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder]
        subprocess.run([*pip, "tritonclient"], check=True)
        helpers = ROOT / "tests" / "helpers"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([folder, str(helpers)])}
        subprocess.run([sys.executable, "-c", CHECK], check=True, env=environment)
        tests = [sys.executable, "-m", "pytest", "-q", ROOT / "tests" / "export" / "triton"]
        sys.exit(subprocess.run(tests, check=False, env=environment, cwd=ROOT).returncode)


if __name__ == "__main__":
    main()
