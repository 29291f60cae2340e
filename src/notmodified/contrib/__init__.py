"""Faces to other packages, each optional and its own extra.

Django REST framework needs none: :class:`notmodified.views.ConditionalMixin`, the decorators and
wrapping in the URLconf know its views and viewsets.
"""
