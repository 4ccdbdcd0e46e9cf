"""Parameter-efficient tuning: the methods, their files, and what they change."""
