"""Colours in the admin."""

from django.contrib import admin

from palette.models import Colour


@admin.register(Colour)
class ColourAdmin(admin.ModelAdmin):
    list_display = ["name", "hex"]
    search_fields = ["name", "hex"]
