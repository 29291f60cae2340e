"""Streamed responses: recorded once they have been streamed to their end.

Rules of this module:

- The tag goes out before the content is known. So it is a random one, which names this one stream,
  and weak, because nobody has compared its bytes with others. A stream that breaks off leaves a tag
  that no record has.
- What is read for a piece of the stream is noted while that piece is made: a server asks for the
  pieces when it likes, and where it likes. In between the recorder is *held*: what another thread,
  or a task of the view's own, reads may go into the next piece.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse

from notmodified.http.entity_tags import EntityTag
from notmodified.reads.recorder import Recorder, recording, release
from notmodified.reads.watching import inspected

_END: Final = object()


def new_tag() -> EntityTag:
    return EntityTag(secrets.token_hex(16), weak=True)


def follow(
    response: StreamingHttpResponse, recorder: Recorder, ended: Callable[[], object]
) -> None:
    """Have `recorder`, which is held, note what the rest of `response` is made from; `ended` is
    called at its end, and may ask the ledger."""
    held: Any = response  # replacing the content would close the old one twice
    pieces = _apieces if held.is_async else _pieces
    held._iterator = pieces(held._iterator, recorder, ended)
    held._resource_closers.append(partial(release, recorder))


def _pieces(
    content: Iterator[Any], recorder: Recorder, ended: Callable[[], object]
) -> Iterator[Any]:
    while True:
        with recording(recorder), inspected(recorder):
            piece = next(content, _END)
        if piece is _END:
            ended()
            return
        yield piece


async def _apieces(
    content: AsyncIterator[Any], recorder: Recorder, ended: Callable[[], object]
) -> AsyncIterator[Any]:
    while True:
        with recording(recorder), inspected(recorder):
            piece = await anext(content, _END)
        if piece is _END:
            await sync_to_async(ended)()
            return
        yield piece
