"""A node on a hospital's network: receives studies by C-STORE, classifies them, sends the results on.

Needs the extra ``node``. The way of a study is a way through folders (``edge_infer.node.spool``): whatever is known is
on the disk before anybody is told, so the node may be killed at any moment and goes on where it was.
"""
