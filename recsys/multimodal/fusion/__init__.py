"""Fusion operators, one per file, all subclasses of `recsys.multimodal.fusion.operator.Operator`."""
