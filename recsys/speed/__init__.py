"""Speed: the same vectors for less time, and what the machine allows at most (004 §8.4, Q2, Q4, Q5)."""

import sys

# OpenVINO and nncf report their use over the network unless a user has opted out. A module that is None
# cannot be imported, and both do without it.
sys.modules.setdefault("openvino_telemetry", None)
