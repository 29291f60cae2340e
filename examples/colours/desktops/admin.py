"""Desktops in the admin, with what lies on them."""

from django.contrib import admin

from desktops.models import Desktop, Note, Shortcut, Tag


class ShortcutInline(admin.TabularInline):
    model = Shortcut
    autocomplete_fields = ["colour"]
    extra = 0


class NoteInline(admin.TabularInline):
    model = Note
    extra = 0


@admin.register(Desktop)
class DesktopAdmin(admin.ModelAdmin):
    list_display = ["title", "owner", "slug"]
    autocomplete_fields = ["wallpaper"]
    filter_horizontal = ["tags"]
    inlines = [ShortcutInline, NoteInline]


admin.site.register(Tag)
