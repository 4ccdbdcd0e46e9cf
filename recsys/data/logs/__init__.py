"""Logs of events (who did what with which item, in which order); one file per family of data sets."""
