"""The audit log: append-only events that anybody can check. The ground: it imports no other app."""
