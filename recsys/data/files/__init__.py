"""Files from public sources: where they lie, download, verification, safe reading of archives."""
