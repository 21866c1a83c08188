"""What the frozen program runs: the command brain-infer, with --serve-stdio a worker for a host program."""

import multiprocessing

from edge_infer.cli import main

if __name__ == "__main__":
    multiprocessing.freeze_support()  # a child process starts this very file again
    main()
