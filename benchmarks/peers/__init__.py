"""The same cycle in other systems, each in an environment of its own. See docs/benchmarks.md."""
