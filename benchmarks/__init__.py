"""Measurements of the product on this machine, each beside a bare floor of the same run."""
