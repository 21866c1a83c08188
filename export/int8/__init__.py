"""INT8: the quantized forms of a graph, the choice of one of them, and the gate it must pass."""
