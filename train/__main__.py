"""``python -m train`` is ``brain-train``: torchrun starts modules, as in ``torchrun --nproc-per-node 2 -m train``."""

from train.cli import main

main(prog_name="brain-train")
