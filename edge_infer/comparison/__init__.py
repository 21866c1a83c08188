"""Two bundles asked about the same images: what an update would change, judged by stated limits."""
