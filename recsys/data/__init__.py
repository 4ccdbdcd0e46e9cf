"""Data sets as plain tables: where they come from, how they are read, checked and split."""
