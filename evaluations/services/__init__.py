"""The only writers of evaluations: one verb a module."""
