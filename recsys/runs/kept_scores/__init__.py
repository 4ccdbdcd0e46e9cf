"""Candidate scores that runs keep in their folders: several models are fused later without training."""
