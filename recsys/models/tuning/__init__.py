"""Methods of tuning a backbone, compared on equal terms."""
