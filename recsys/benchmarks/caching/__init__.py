"""Caches before an encoder: traffic, hit rates, age of answers, measured waiting times."""
