"""Figures of customer service and opinion monitoring."""
