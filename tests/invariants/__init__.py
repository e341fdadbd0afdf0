"""What must always hold: one file for each line of the design, through every door."""
