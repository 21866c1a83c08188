"""A worker for host programs: requests on standard input, answers on standard output (docs/stdio.md).

What the lines mean is in ``requests`` and ``answers``; how bytes become lines in ``framing``; what waits in ``jobs``.
One thread listens, so that it answers at once while another works. The main thread only waits: for their end, or for a
signal, which so never falls into the middle of a line.
"""
