"""Modalities as vectors with a mask, operators that fuse them, and the tasks that tell whether it pays."""
