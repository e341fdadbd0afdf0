"""Addresses of the runs and agents pages."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
