"""One modality a file: `encode(table, known) -> Features`."""
