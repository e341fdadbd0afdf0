"""People and programs by the hundred, over pages, API and sockets. See docs/sizing.md."""
