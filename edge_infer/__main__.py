"""``python -m edge_infer`` is ``brain-infer``."""

from edge_infer.cli import main

main(prog_name="brain-infer")
