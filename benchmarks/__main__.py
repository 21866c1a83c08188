"""``python -m benchmarks BUNDLE... --scan scan.png``: latency of bundles, side by side."""

from benchmarks.cli import main

if __name__ == "__main__":
    main()
