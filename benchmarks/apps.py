"""The benchmark's agent is declared like any other: in an installed app."""

from django.apps import AppConfig


class BenchmarksConfig(AppConfig):
    name = "benchmarks"
