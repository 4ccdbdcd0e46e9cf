"""Multimodal items: encoders of each modality, operators that fuse them, tasks that measure the gain."""
