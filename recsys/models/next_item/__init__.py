"""Next-item recommenders (SASRec, title models, text encoders), their tuning and evaluation."""
