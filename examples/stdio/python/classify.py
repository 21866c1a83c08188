"""Classify images from another Python, in which brain-edge is not installed: docs/stdio.md.

python classify.py BRAIN_INFER IMAGE...

A line for each image. Exit status: 0 all answered, 2 usage, 100 some refused. (Where brain-edge is installed, use
``edge_infer.Classifier`` instead.)
"""

import json
import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Run it."""
    if len(sys.argv) < 3:
        sys.stderr.write("usage: python classify.py BRAIN_INFER IMAGE...\n")
        return 2
    program, *files = sys.argv[1:]
    worker = subprocess.Popen(  # noqa: S603 -- the user names it
        [program, "--serve-stdio"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    ready = heard(worker)
    if ready["event"] != "ready" or 1 not in ready["versions"]:
        sys.stderr.write(f"the worker does not start: {ready.get('error', ready)}\n")
        worker.stdin.close()
        return worker.wait() or 1
    refused = 0
    for number, file in enumerate(files):
        for line in answers(worker, number, file):
            refused += line["status"] != "ok"
            sys.stdout.write(f"{shown(line)}\n")
    sys.stdout.write(f"{ready['research_use_only']}\n")
    worker.stdin.close()
    return worker.wait() or (100 if refused else 0)


def answers(worker, number, file):
    """Ask for one image; yield what ``brain-infer --json`` prints."""
    content = Path(file).read_bytes()
    request = {"id": number, "method": "classify", "name": file, "length": len(content)}
    worker.stdin.write(json.dumps(request).encode() + b"\n" + content)
    worker.stdin.flush()
    while (event := heard(worker))["event"] != "done":
        if event["event"] == "error":  # the request was not carried out
            raise SystemExit(f"{event['error']['code']}: {event['error']['message']}")
        if event["event"] == "result":
            yield event["line"]


def heard(worker):
    """Return the next line."""
    line = worker.stdout.readline()
    if not line:
        raise SystemExit(f"the worker ended ({worker.wait()})")
    return json.loads(line)


def shown(line):
    """Whether the answer is accepted comes before the answer; never show a label alone."""
    if line["status"] != "ok":
        return f"{line['source']}: error {line['error']['code']}"
    decision = line["decision"]
    if decision == "abstain":
        decision = f"abstain ({', '.join(line['reasons'])}), nearest"
    return f"{line['source']}: {decision} {line['label']} {line['score']:.4f}"


if __name__ == "__main__":
    sys.exit(main())
