"""Encoders: pretrained models that turn texts, pictures and sounds into vectors, and their inputs."""
