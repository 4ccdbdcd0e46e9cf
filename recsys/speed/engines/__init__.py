"""Engines: they compute the vectors of a built variant (onnxruntime, OpenVINO, torch)."""
