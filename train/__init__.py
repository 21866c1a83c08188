"""Images to checkpoint: data sets, models, recipes, training. Importing it loads no torch."""
