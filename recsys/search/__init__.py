"""Search over vectors: formats and storage."""
