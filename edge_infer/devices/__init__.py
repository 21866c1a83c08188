"""On which processor a graph runs: names, what each needs, and what is there (docs/devices.md)."""
