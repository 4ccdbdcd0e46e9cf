"""Pretrained models whose weights are inside packages of the Python index: no hub, no code of others."""
