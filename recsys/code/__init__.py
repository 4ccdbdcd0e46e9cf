"""What the kit knows of its own code: lazy registries, and which definitions a run can reach."""
