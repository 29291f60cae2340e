"""The Django app."""

from django.apps import AppConfig


class DesktopsConfig(AppConfig):
    name = "desktops"
