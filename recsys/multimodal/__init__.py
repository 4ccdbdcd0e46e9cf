"""Multimodal items: encoders of each modality, operators that fuse their vectors, and tasks that measure the
gain."""
