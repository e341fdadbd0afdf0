"""Insights: what agents cost, how they do, and what they ask of people, in figures that lead to their rows."""
