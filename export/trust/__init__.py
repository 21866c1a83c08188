"""When a bundle abstains: the numbers behind it, fitted on embeddings and answers. numpy only, no graph, no torch."""
