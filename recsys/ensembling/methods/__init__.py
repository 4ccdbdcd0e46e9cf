"""Fusion methods, one file each; all have the interface `recsys.ensembling.fusion.Fusion`."""
