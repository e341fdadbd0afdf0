"""What the tests stand on: servers of their own, standing characters, the real product, a browser."""
