"""Composition of Countersign: settings, addresses, processes. Nothing imports this package but its own."""
