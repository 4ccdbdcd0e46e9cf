"""Pretrained weights inside packages of the Python index: a file each, no hub, no foreign code."""
