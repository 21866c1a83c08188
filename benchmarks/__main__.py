"""``python -m benchmarks``: the same as ``brain-bench``."""

from benchmarks.cli import main

if __name__ == "__main__":
    main(prog_name="brain-bench")
