"""Faster encoders: `fast_encoder` finds the fastest way to a model's vectors here (004 §8.4, Q2, Q4, Q5)."""

import os
import sys

# OpenVINO, nncf and onnxruntime report their use over the network unless a user has opted out. A module that
# is None cannot be imported, and the first two do without it; onnxruntime looks when it is first imported.
sys.modules.setdefault("openvino_telemetry", None)
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
