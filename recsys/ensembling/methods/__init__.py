"""Methods of fusing scores, one file each; all follow `recsys.ensembling.fusion.Fusion`."""
