"""INT8: the forms a graph can take, how one is chosen, and the gate it must pass."""
