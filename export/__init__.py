"""From checkpoint to bundle: export to ONNX, check, quantize, gate, write. Importing this loads nothing heavy."""
