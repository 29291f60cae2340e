"""The command line: ``python -m notmodified.conformance URL …``.

Exit status: 0 without a violation, 1 with one, 2 if a URL gives no answer or the usage is wrong.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Sequence

from notmodified.conformance.client import Client, FieldLine, NoAnswer, Target
from notmodified.conformance.findings import Verdict
from notmodified.conformance.origin import Origin, Unsafe
from notmodified.conformance.probe import Result, probe
from notmodified.conformance.report import write_json, write_table
from notmodified.conformance.rules import RULES

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = frozenset({"connection", "content-length", "content-type", "range", "transfer-encoding"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "CONNECT"})


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    unsafe = None
    if options.unsafe is not None:
        content = options.body.encode()
        unsafe = Unsafe(options.unsafe, content, options.content_type)
    elif options.body or options.content_type:
        parser.error("--body and --content-type need --unsafe METHOD")
    client = Client(tuple(options.header), options.timeout)
    done: list[tuple[str, list[Result]]] = []
    answered = True
    for url, target in options.url:
        try:
            results = probe(Origin(client, target, unsafe), options.only)
        except NoAnswer as error:
            print(f"{url}: no answer: {error}", file=sys.stderr)
            answered = False
            continue
        done.append((url, results))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # whatever the terminal's encoding
    if options.json:
        write_json(done, sys.stdout)
    else:
        for url, results in done:
            write_table(url, results, sys.stdout)
    if any(r.finding.verdict is Verdict.VIOLATION for _, results in done for r in results):
        return 1
    return 0 if answered else 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m notmodified.conformance",
        description="Probe a running HTTP origin for its handling of conditional requests.",
        epilog="Exit status: 0 without a violation, 1 with one, 2 if a URL gives no answer.",
    )
    parser.add_argument("url", nargs="+", type=_url, metavar="URL")
    parser.add_argument("--json", action="store_true", help="write JSON instead of a table")
    parser.add_argument(
        "--only", type=_numbers, default=(), metavar="RULES", help="only these, such as C18,C19"
    )
    parser.add_argument(
        "--header",
        type=_field_line,
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="send this with every request, for example an Authorization; may be repeated",
    )
    parser.add_argument(
        "--timeout", type=_seconds, default=10.0, metavar="S", help="for each answer (default: 10)"
    )
    parser.add_argument(
        "--unsafe",
        type=_method,
        metavar="METHOD",
        help="also send this method, only ever under false conditions: an origin that honours them "
        "does not perform it, one that does not WILL. Where the first is not refused, no more "
        "are sent. PUT also tries, once, to create a path beside the URL",
    )
    parser.add_argument("--body", default="", help="the content of the unsafe request")
    parser.add_argument("--content-type", metavar="TYPE", help="its media type")
    return parser


def _url(text: str) -> tuple[str, Target]:
    try:
        return text, Target.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _numbers(text: str) -> frozenset[str]:
    numbers = frozenset(number.strip().upper() for number in text.split(",") if number.strip())
    unknown = sorted(numbers - RULES.keys())
    if unknown or not numbers:
        raise argparse.ArgumentTypeError(
            f"no such rule: {', '.join(unknown) or text!r}; there are {', '.join(RULES)}"
        )
    return numbers


def _field_line(text: str) -> FieldLine:
    name, colon, value = text.partition(":")
    if not colon or not _TOKEN.fullmatch(name):
        raise argparse.ArgumentTypeError(f"not 'Name: value': {text!r}")
    if name.lower() in _OURS or name.lower().startswith("if-"):
        raise argparse.ArgumentTypeError(f"{name} is for the probe to set")
    try:
        octets = value.strip(" \t").encode("iso-8859-1")
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"not ISO-8859-1: {text!r}") from None
    if any(octet in octets for octet in b"\r\n\0"):
        raise argparse.ArgumentTypeError("a field value has no line ends")
    return name, octets


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"not a time in seconds: {text!r}")
    return seconds


def _method(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise argparse.ArgumentTypeError(f"not a method: {text!r}")
    if text.upper() in _SAFE:
        raise argparse.ArgumentTypeError(f"{text} is a safe method")
    return text.upper()


if __name__ == "__main__":
    sys.exit(main())
