"""One fusion operator a file, all of the form of `recsys.multimodal.fusion.operator.Operator`."""
