"""Archives: units in, rows out, by partitions, on one machine or many; ``brain-batch`` (docs/scale.md)."""
