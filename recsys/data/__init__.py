"""Data sets as checked tables: their sources and checksums, loaders, splits and leak checks."""
