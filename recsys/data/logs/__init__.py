"""Logs of events; one file a family of data sets."""
