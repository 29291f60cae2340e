"""The home page, a desktop's page, and the form on it."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_POST

from desktops.forms import NoteForm
from desktops.models import Desktop
from desktops.validators import PAGES


def home(request: HttpRequest) -> HttpResponse:
    """Where everything is. The middleware gives it a tag."""
    context = {"desktops": Desktop.objects.select_related("owner"), "ways": ["plain", *PAGES]}
    return render(request, "desktops/home.html", context)


def desktop_page(request: HttpRequest, username: str, slug: str) -> HttpResponse:
    """A desktop, and for its owner a form."""
    found = Desktop.objects.select_related("wallpaper")
    desktop = get_object_or_404(found, owner__username=username, slug=slug)
    context = {
        "desktop": desktop,
        # As in the address: the one thing of the owner that is shown.
        "username": username,
        "shortcuts": desktop.shortcuts.select_related("colour"),
        "form": NoteForm() if request.user.pk == desktop.owner_id else None,
    }
    return render(request, "desktops/desktop.html", context)


@require_POST
@login_required
def add_note(request: HttpRequest, username: str, slug: str) -> HttpResponse:
    """A new note on one's own desktop; then back to the page from which it was sent."""
    desktop = get_object_or_404(Desktop, owner__username=username, slug=slug)
    if request.user.pk != desktop.owner_id:
        raise PermissionDenied
    form = NoteForm(request.POST)
    if form.is_valid():
        form.instance.desktop = desktop
        form.save()
    return HttpResponseRedirect("../")
