"""What the shop does that changes something: one verb a module."""
