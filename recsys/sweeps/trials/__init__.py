"""A trial: its process, what Ray places of it, and a notebook as one."""
