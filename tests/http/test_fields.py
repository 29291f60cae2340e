"""Which fields a 304 repeats: C43–C47."""

from notmodified.http.fields import repeated_in_304


def test_c43_what_the_200_says_of_itself_is_repeated() -> None:
    fields = [
        ("Cache-Control", "max-age=60"),
        ("Content-Location", "/x"),
        ("Date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("ETag", '"x"'),
        ("Expires", "Sun, 06 Nov 1994 08:50:37 GMT"),
        ("Vary", "Accept"),
    ]
    assert repeated_in_304(fields) == fields


def test_c43_so_are_fields_for_the_client_of_any_kind() -> None:
    fields = [("Access-Control-Allow-Origin", "*"), ("Content-Security-Policy", "default-src x")]
    assert repeated_in_304(fields) == fields


def test_c44_c45_other_representation_metadata_is_not() -> None:
    fields = [
        ("Content-Type", "text/html"),
        ("content-encoding", "gzip"),
        ("Content-Language", "de"),
        ("Content-Length", "5"),
        ("Content-Range", "bytes 0-1/2"),
    ]
    assert repeated_in_304(fields) == []


def test_c47_cookies_are_not() -> None:
    assert repeated_in_304([("Set-Cookie", "a=b")]) == []


def test_fields_of_one_connection_are_not() -> None:
    assert repeated_in_304([("Connection", "close"), ("Transfer-Encoding", "chunked")]) == []
