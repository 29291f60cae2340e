"""The form with which an owner adds a note."""

from django import forms

from desktops.models import Note


class NoteForm(forms.ModelForm):
    class Meta:
        model = Note
        fields = ["text"]
