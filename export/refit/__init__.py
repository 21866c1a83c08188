"""A site's own images into a new bundle: needs what classifying needs, no torch and no onnx."""
