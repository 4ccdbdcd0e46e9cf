"""Trained models: next-item recommenders, click models, labelled-text models, tuning, prompting."""
