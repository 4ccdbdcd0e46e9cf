"""What sweeps cost and bring: on live ones (notebook 06_live_sweeps), and on tables of every answer."""
