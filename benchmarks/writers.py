"""Writers at the same time: how much they get done with and without the log's triggers, and whether
the triggers make them lock each other out.

Called by :mod:`benchmarks.log`, on servers.

Rules of this module:

- Each writer is a process. In each round all of them write to the one table, and then to the other.
- A transaction changes three of the rows that all writers share, in the order of their keys, and
  adds one: by itself that deadlocks with nobody.
"""

from __future__ import annotations

import random
import statistics
import time
from collections import Counter
from multiprocessing import get_context
from typing import Any, NamedTuple

WRITERS = 6
SHARED = 200
ROUNDS = 11
SECONDS = 0.3
TARGET = 0.9
"""How much of the throughput without triggers shall be left at least."""


class Done(NamedTuple):
    """What a writer has done in one turn."""

    transactions: int
    errors: Counter[str]


def writers(name: str) -> None:
    from django.db import connections

    connections.close_all()
    context = get_context("fork")
    pipes, processes = [], []
    for number in range(WRITERS):
        ours, theirs = context.Pipe()
        process = context.Process(target=_writer, args=(theirs, number), daemon=True)
        process.start()
        pipes.append(ours)
        processes.append(process)
    ratios = []
    errors: dict[str, Counter[str]] = {"Bare": Counter(), "Logged": Counter()}
    shuffle = random.Random(0).shuffle
    order = list(errors)
    for number in range(ROUNDS + 1):
        shuffle(order)
        done = {}
        for model in order:
            for pipe in pipes:
                pipe.send((model, SECONDS))
            found: list[Done] = [pipe.recv() for pipe in pipes]
            done[model] = sum(one.transactions for one in found)
            for one in found:
                errors[model].update(one.errors)
        if number:  # the first round warms up
            ratios.append(done["Logged"] / max(done["Bare"], 1))
    for pipe in pipes:
        pipe.send(None)
    for process in processes:
        process.join()
    _say(name, ratios, errors)


def _say(name: str, ratios: list[float], errors: dict[str, Counter[str]]) -> None:
    lower, median, upper = statistics.quantiles(ratios, n=4)
    without, new = errors["Bare"], errors["Logged"]
    met = "met" if median >= TARGET else "**not met**"
    none = "met" if new.total() <= without.total() else "**not met**"
    print(f"\n### {name}: {WRITERS} writers at the same time\n")
    print("| | × transactions without triggers | quartiles |\n|---|---:|---:|")
    print(f"| transactions with triggers | {median:.2f} | {lower:.2f}–{upper:.2f} |\n")
    print(f"- {median:.2f} ×, the target of at least {TARGET} × is {met}.")
    print(
        f"- Deadlocks and other errors of locks: {new.total()} with triggers and "
        f"{without.total()} without; the target of none more is {none}."
    )
    for model, found in errors.items():
        for error, count in found.most_common(3):
            print(f"  - {model}: {count} × {error}")


def _writer(pipe: Any, number: int) -> None:
    from django.db import connection

    chance = random.Random(number)
    while True:
        order = pipe.recv()
        if order is None:
            connection.close()
            return
        pipe.send(_turn(*order, chance))


def _turn(model_name: str, seconds: float, chance: random.Random) -> Done:
    from django.db import DatabaseError, transaction
    from django.db.models import F

    from benchmarks import models

    model: Any = getattr(models, model_name)
    shared = list(model.objects.order_by("pk").values_list("pk", flat=True)[:SHARED])
    done, errors = 0, Counter[str]()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with transaction.atomic():
                for pk in sorted(chance.sample(shared, 3)):
                    model.objects.filter(pk=pk).update(number=F("number") + 1)
                model.objects.create(title="new", author_id=1)
            done += 1
        except DatabaseError as error:
            errors[str(error).splitlines()[0]] += 1
    return Done(done, errors)
