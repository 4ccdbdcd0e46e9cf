"""Encoders: language-model backbones that turn texts into vectors, and what feeds them."""
