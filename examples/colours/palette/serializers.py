"""Colours as JSON, and back."""

from django.core.validators import RegexValidator
from rest_framework import serializers

from palette.models import Colour


class ColourSerializer(serializers.ModelSerializer):
    hex = serializers.CharField(validators=[RegexValidator(r"\A#[0-9a-f]{6}\Z")])

    class Meta:
        model = Colour
        fields = ["id", "name", "hex", "red", "green", "blue"]
