"""Class-based views, Django's and REST framework's: the conditions stand behind the permissions."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import cache_control, never_cache
from rest_framework import permissions, renderers, serializers, viewsets
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView

from notmodified.decorators import condition, etag, last_modified
from notmodified.middleware import NotModifiedMiddleware
from notmodified.validators import Validator, Version
from notmodified.views import ConditionalMixin
from tests.helpers import async_requests, request

tag_v1 = etag(lambda request, *args, **kwargs: "v1")


class Base(View):
    runs = 0

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        type(self).runs += 1
        return HttpResponse("x", headers={"Vary": "Accept"})

    def put(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        type(self).runs += 1
        return HttpResponse("x")


def in_urlconf() -> tuple[Any, Any]:
    cls = type("Wrapped", (Base,), {})
    return cls, tag_v1(cls.as_view())


def on_dispatch() -> tuple[Any, Any]:
    cls = method_decorator(tag_v1, name="dispatch")(type("Dispatched", (Base,), {}))
    return cls, cls.as_view()


def on_handler() -> tuple[Any, Any]:
    cls = type("Handled", (Base,), {})
    for name in ("get", "put"):
        cls = method_decorator(tag_v1, name=name)(cls)
    return cls, cls.as_view()


def with_mixin() -> tuple[Any, Any]:
    tag = staticmethod(lambda request, *args, **kwargs: "v1")
    cls = type("Mixed", (ConditionalMixin, Base), {"etag": tag})
    return cls, cls.as_view()


def with_mixin_in_urlconf() -> tuple[Any, Any]:
    cls = type("Configured", (ConditionalMixin, Base), {})
    return cls, cls.as_view(etag=lambda request, *args, **kwargs: "v1")


@pytest.mark.parametrize(
    "way", [in_urlconf, on_dispatch, on_handler, with_mixin, with_mixin_in_urlconf]
)
class TestEveryWay:
    def test_the_304_comes_without_the_view(self, way: Any) -> None:
        cls, view = way()
        full = view(request())
        assert (full.status_code, full["ETag"]) == (200, '"v1"')
        before = cls.runs
        short = view(request(if_none_match='"v1"'))
        assert (short.status_code, short["Vary"]) == (304, "Accept")
        assert cls.runs == before

    def test_c38_a_false_if_match_keeps_the_method_from_being_performed(self, way: Any) -> None:
        cls, view = way()
        assert view(request("PUT", if_match='"v0"')).status_code == 412
        assert cls.runs == 0
        assert view(request("PUT", if_match='"v1"')).status_code == 200

    def test_c46_head(self, way: Any) -> None:
        _, view = way()
        view(request())
        assert view(request("HEAD", if_none_match='"v1"')).status_code == 304

    def test_other_methods_are_as_they_were(self, way: Any) -> None:
        _, view = way()
        assert view(request("OPTIONS", if_match='"v0"')).status_code == 200
        assert view(request("DELETE", if_match='"v0"')).status_code == 405


class TestMixin:
    def test_a_function_in_the_class_body_is_called_without_self(self) -> None:
        class V(ConditionalMixin, Base):
            def etag(request: HttpRequest, **kwargs: Any) -> str:  # type: ignore[misc, override]
                return f"v-{kwargs['pk']}"

        assert V.as_view()(request(), pk=3)["ETag"] == '"v-3"'

    def test_a_precondition_may_be_required(self) -> None:
        class V(ConditionalMixin, Base):
            etag = staticmethod(lambda request: "v1")
            precondition_required = True

        assert V.as_view()(request("PUT")).status_code == 428

    def test_async_handlers(self) -> None:
        class V(ConditionalMixin, View):
            etag = staticmethod(lambda request: "v1")

            async def get(self, request: HttpRequest) -> HttpResponse:
                return HttpResponse("x")

        view = V.as_view()
        assert asyncio.run(view(async_requests.get("/")))["ETag"] == '"v1"'
        again = async_requests.get("/", headers={"if-none-match": '"v1"'})
        assert asyncio.run(view(again)).status_code == 304


class TestPermissions:
    """C36: authorisation comes before any 304 or 412."""

    def answers(self, view: Any) -> tuple[int, int]:
        found = []
        for user in (User(username="a"), AnonymousUser()):
            for fields in ({}, {"if_none_match": '"v1"'}):
                req = request(**fields)
                req.user = user
                response = view(req)
            found.append(response.status_code)
        return found[0], found[1]

    def test_access_mixins(self) -> None:
        class V(LoginRequiredMixin, Base):
            pass

        class Mixed(ConditionalMixin, LoginRequiredMixin, Base):
            etag = staticmethod(lambda request: "v1")

        assert self.answers(tag_v1(V.as_view())) == (304, 302)
        assert self.answers(method_decorator(tag_v1, name="dispatch")(V).as_view()) == (304, 302)
        assert self.answers(Mixed.as_view()) == (304, 302)

    def test_rest_framework(self) -> None:
        class V(APIView):
            permission_classes = [permissions.IsAuthenticated]
            authentication_classes: list[Any] = []

            def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Any:
                made = super().initialize_request(request, *args, **kwargs)
                made.user = request.user
                return made

            def get(self, request: Any) -> Response:
                return Response({"a": 1})

        class Mixed(ConditionalMixin, V):
            etag = staticmethod(lambda request: "v1")

        for view in (
            tag_v1(V.as_view()),
            method_decorator(tag_v1, name="dispatch")(V).as_view(),
            method_decorator(tag_v1, name="get")(V).as_view(),
            Mixed.as_view(),
        ):
            rendering = lambda req, view=view: _rendered(view(req))  # noqa: E731
            assert self.answers(rendering) == (304, 403)

    def test_rest_framework_s_permissions_for_single_objects(self) -> None:
        class OnlyMine(permissions.BasePermission):
            def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
                return request.headers.get("X-User") == obj

        class V(GenericAPIView):
            permission_classes = [OnlyMine]
            authentication_classes: list[Any] = []

            def get_object(self) -> str:
                self.check_object_permissions(self.request, "me")
                return "me"

            def get(self, request: Any, pk: int) -> Response:
                return Response(self.get_object())

            def put(self, request: Any, pk: int) -> Response:
                return Response(self.get_object())

        view = tag_v1(V.as_view())
        assert _rendered(view(request(x_user="me"), pk=1)).status_code == 200
        for user, get, put in (("me", 304, 412), ("you", 403, 403)):
            assert (
                _rendered(view(request(x_user=user, if_none_match='"v1"'), pk=1)).status_code == get
            )
            answer = _rendered(view(request("PUT", x_user=user, if_match='"v0"'), pk=1))
            assert answer.status_code == put

    def test_c8_a_page_for_people_is_for_one_of_them(self) -> None:
        class V(APIView):
            renderer_classes = [renderers.BrowsableAPIRenderer]
            permission_classes: list[Any] = []
            authentication_classes: list[Any] = []

            def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Any:
                made = super().initialize_request(request, *args, **kwargs)
                made.user = request.user
                return made

            def get(self, request: Any) -> Response:
                return Response({})

        view = tag_v1(V.as_view())
        tags = set()
        for user in (User(pk=1), User(pk=2), AnonymousUser()):
            req = request()
            req.user = user
            response = view(req)
            response.accepted_renderer = renderers.JSONRenderer()  # the templates are not at hand
            tags.add(response.render()["ETag"])
        assert len(tags) == 3

    def test_around_another_decorator_it_cannot_stand_behind_them(self) -> None:
        with pytest.raises(ImproperlyConfigured, match=r"applied to Base\.as_view\(\) directly"):
            tag_v1(never_cache(Base.as_view()))

    def test_within_another_decorator_it_can(self) -> None:
        view = cache_control(max_age=60)(tag_v1(Base.as_view()))
        through_middleware = NotModifiedMiddleware(view)
        through_middleware(request())
        response = through_middleware(request(if_none_match='"v1"'))
        assert (response.status_code, response["Cache-Control"]) == (304, "max-age=60")


class TestWrappingInTheUrlconf:
    def test_the_view_is_still_known_by_its_class(self) -> None:
        view = tag_v1(Base.as_view(http_method_names=["get"]))
        assert view.view_class is Base
        assert view(request("PUT")).status_code == 405

    def test_rest_framework_finds_the_docstring(self) -> None:
        """Its pages for people, and the schemas that are made from views, show it."""

        class Documented(APIView):
            """What it is for."""

            def get(self, request: Any) -> Response:
                return Response(self.get_view_description())

        assert tag_v1(Documented.as_view())(request()).data == "What it is for."

    def test_a_view_can_be_wrapped_for_both_validators(self) -> None:
        class Dated(Validator):
            def version(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Version:
                return Version("v1", last_modified=1_700_000_000)

        dated = Dated()
        response = condition(dated, dated)(Base.as_view())(request())
        assert response["ETag"]
        assert response["Last-Modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
        assert last_modified(dated)(Base.as_view())(request())["Last-Modified"]


class Colour(serializers.Serializer):  # type: ignore[type-arg]
    name = serializers.CharField()


class ColourViewSet(viewsets.ViewSet):
    permission_classes: list[Any] = []
    authentication_classes: list[Any] = []
    renderer_classes = [renderers.JSONRenderer, renderers.StaticHTMLRenderer]
    runs = 0

    def list(self, request: Any) -> Response:
        type(self).runs += 1
        return Response("[]")

    def update(self, request: Any, pk: str) -> Response:
        return Response("{}")


class TestRestFramework:
    def test_a_viewset_wrapped_in_the_urlconf(self) -> None:
        view = tag_v1(ColourViewSet.as_view({"get": "list"}))
        assert view.actions["get"] == "list"
        assert view.csrf_exempt
        assert _rendered(view(request()))["ETag"] == '"v1"'
        runs = ColourViewSet.runs
        assert view(request(if_none_match='"v1"')).status_code == 304
        assert ColourViewSet.runs == runs

    @pytest.mark.parametrize("mixin", [True, False])
    def test_c36_a_viewset_asks_for_permission_first(self, mixin: bool) -> None:
        """Somebody who may not see it is not told that it has not changed."""

        class Closed(permissions.BasePermission):
            def has_permission(self, request: Any, view: Any) -> bool:
                return "Open" in request.headers

        class V(*([ConditionalMixin] if mixin else []), ColourViewSet):  # type: ignore[misc]
            permission_classes = [Closed]
            if mixin:
                etag = staticmethod(lambda request, pk=None: "v1")

        router = SimpleRouter()
        router.register("colours", V, basename="colour")
        listing = router.urls[0].callback
        view = listing if mixin else tag_v1(listing)
        assert _rendered(view(request(open="1")))["ETag"] == '"v1"'
        assert _rendered(view(request(open="1", if_none_match='"v1"'))).status_code == 304
        refused = _rendered(view(request(if_none_match='"v1"')))
        assert refused.status_code == 403
        assert "ETag" not in refused

    def test_a_viewset_with_the_mixin_in_a_router(self) -> None:
        class V(ConditionalMixin, ColourViewSet):
            etag = staticmethod(lambda request, pk=None: f"v-{pk}")

        router = SimpleRouter()
        router.register("colours", V, basename="colour")
        listing, detail = (pattern.callback for pattern in router.urls)
        assert _rendered(listing(request()))["ETag"] == '"v-None"'
        assert detail(request("PUT", if_match='"v-6"'), pk="5").status_code == 412
        assert _rendered(detail(request("PUT", if_match='"v-5"'), pk="5")).status_code == 200

    def test_c8_each_negotiated_media_type_has_its_own_tag(self) -> None:
        class Moving(Validator):
            def version(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Version:
                return Version("v1")

        for view in (
            tag_v1(ColourViewSet.as_view({"get": "list"})),
            etag(Moving())(ColourViewSet.as_view({"get": "list"})),
        ):
            json = _rendered(view(request(accept="application/json")))["ETag"]
            html = _rendered(view(request(accept="text/html")))["ETag"]
            assert json != html
            assert view(request(accept="text/html", if_none_match=html)).status_code == 304
            other = _rendered(view(request(accept="text/html", if_none_match=json)))
            assert other.status_code == 200


def _rendered(response: Any) -> Any:
    return response.render() if hasattr(response, "render") else response
