"""What is to be run: experiments, parameters, plans, and what a run depends on."""
