"""An HTTP service on one machine: content in, the lines of ``brain-infer --json`` out (docs/service.md).

One process, one session, as many runs at once as ``Limits`` says. The event loop only moves bytes: everything that
reads or classifies runs on a thread of ``runs``, and every wait for a client is bounded and holds no such thread. Needs
the extra ``serve``.
"""
