"""Addresses of the inbox, request and policy pages."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
