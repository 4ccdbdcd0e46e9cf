"""What sweeps cost and bring, measured on live ones: what notebook 06_live_sweeps records."""
