"""Modality encoders, one per file: `encode(table, known) -> Features`."""
