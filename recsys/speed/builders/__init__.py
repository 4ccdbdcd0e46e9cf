"""Builders of variants: exported graphs and quantised weights, made once per machine."""
