"""Plain views beside Wagtail's pages."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from wagtail.models import Page

from tests.sites.cms.blog.models import Announcement, Subscriber


class NewsletterForm(forms.ModelForm):
    class Meta:
        model = Subscriber
        fields = ["email"]


def welcome(request: HttpRequest) -> HttpResponse:
    """Greets whoever is logged in, and says what there is to be said."""
    return render(request, "blog/welcome.html")


def newsletter(request: HttpRequest) -> HttpResponse:
    form = NewsletterForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        subscriber = form.save()
        messages.success(request, f"Welcome, {subscriber.email}.")
        return redirect("welcome")
    return render(request, "blog/newsletter.html", {"form": form})


def announcements(request: HttpRequest) -> HttpResponse:
    due = Announcement.objects.filter(publish_at__lte=timezone.now())
    return render(request, "blog/announcements.html", {"due": due.order_by("-publish_at", "pk")})


def quote(request: HttpRequest) -> HttpResponse:
    """Shows what somebody has put into the cache."""
    return render(request, "blog/quote.html", {"quote": cache.get("quote", "There is none.")})


def search(request: HttpRequest) -> HttpResponse:
    words = request.GET.get("query", "")
    found = Page.objects.live().search(words) if words else Page.objects.none()
    return render(request, "blog/search.html", {"words": words, "found": found})
