"""A small real business with a hosted agent: the example that others copy."""
