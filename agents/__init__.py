"""Hosted agents: what is to happen, and whether it did."""
