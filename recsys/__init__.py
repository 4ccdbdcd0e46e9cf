"""Pretrained language models in e-commerce search and recommendation: a reproducibility kit."""
