"""The list of all colours, and a single one.

The list is not paginated on purpose: it is long, and changes once a year, which is what conditional
requests are best at.
"""

from rest_framework import generics

from palette.models import Colour
from palette.serializers import ColourSerializer


class ColourList(generics.ListAPIView):
    """Every colour, by name."""

    queryset = Colour.objects.all()
    serializer_class = ColourSerializer
    pagination_class = None


class ColourShown(generics.RetrieveAPIView):
    """One colour, to look at."""

    queryset = Colour.objects.all()
    serializer_class = ColourSerializer


class ColourDetail(generics.RetrieveUpdateAPIView):
    """One colour; PUT and PATCH need the tag of what they change, in If-Match."""

    queryset = Colour.objects.all()
    serializer_class = ColourSerializer
