"""Compares tuning methods (full, LoRA, ...) of a backbone: same tasks, steps and search budgets."""
