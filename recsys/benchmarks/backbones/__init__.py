"""Pretrained models compared on equal terms: one task, one way of use, one budget; what a prompt costs."""
