"""The practice model's address; where a real model is named, there is none."""

from django.conf import settings
from django.urls import path

from demo.practice import views

practice = [
    path("practice/v1/chat/completions", views.complete, name="practice-completions"),
    path("practice/v1/models", views.models, name="practice-models"),
]
urlpatterns = practice if settings.COUNTERSIGN.practice else []
