"""Builders of variants: graphs and rounded weights, made once for a machine."""
