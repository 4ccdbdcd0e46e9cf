"""What is to be run: experiment files, notebook parameters, plans, and the dependencies of runs."""
