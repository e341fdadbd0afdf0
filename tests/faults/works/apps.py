"""The workshop's agent is declared like any other: in an installed app."""

from django.apps import AppConfig


class WorksConfig(AppConfig):
    name = "tests.faults.works"
    label = "works"
