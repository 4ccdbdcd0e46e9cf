"""Trivial and classical recommenders (random, popularity, kNN, EASE, ALS, BPR, SASRec) for every table."""
