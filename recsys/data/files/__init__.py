"""Files from public sources: where they lie, download, verification, archives."""
