"""The only writers of insights."""
