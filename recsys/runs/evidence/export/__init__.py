"""Export of records in archive formats (RO-Crate)."""
