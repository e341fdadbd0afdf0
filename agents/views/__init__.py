"""Pages of runs and agents."""
