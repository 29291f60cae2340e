"""A program of the project's that writes through Django, in one way or another, as it is told to by
lines: the row, its number, the way, a pause, and how it ends. It says what has become of each.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tests.integration.servers import ROOT


class GivenUpError(Exception):
    pass


def _update(pk: int, number: int) -> None:
    from tests.site.models import Shelf

    Shelf.objects.filter(pk=pk).update(name=str(number))


def _save(pk: int, number: int) -> None:
    from tests.site.models import Shelf

    shelf = Shelf.objects.get(pk=pk)
    shelf.name = str(number)
    shelf.save()


def _bulk_update(pk: int, number: int) -> None:
    from tests.site.models import Shelf

    Shelf.objects.bulk_update([Shelf(pk=pk, name=str(number))], ["name"])


def _by_sql(pk: int, number: int) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("UPDATE site_shelf SET name = %s WHERE id = %s", [str(number), pk])


WAYS: list[Callable[[int, int], None]] = [_update, _save, _bulk_update, _by_sql]


def main() -> None:
    import django

    django.setup()
    from django.db import transaction

    for line in sys.stdin:
        pk, number, way, pause, ends = json.loads(line)
        try:
            if ends == "alone":
                WAYS[way](pk, number)
            else:
                with transaction.atomic():
                    WAYS[way](pk, number)
                    time.sleep(pause)
                    if ends == "rollback":
                        raise GivenUpError
            print("committed", flush=True)
        except GivenUpError:
            print("rolled back", flush=True)


class Program:
    """That program, as something that writes; begun anew when it was killed."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None

    def write(self, pk: int, number: int, chance: Any) -> None:
        """Raises RolledBackError, also where nobody knows."""
        from tests.integration.stress import RolledBackError

        ends = chance.choice(["alone", "commit", "commit", "commit", "rollback"])
        way = chance.randrange(len(WAYS))
        line = json.dumps([pk, number, way, chance.random() * 0.004, ends])
        try:
            process = self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(line + "\n")
            process.stdin.flush()
            said = process.stdout.readline().strip()
        except OSError:
            said = ""
        if said != "committed":
            raise RolledBackError(said)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                with suppress(OSError):
                    pipe.close()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.through_django"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=self._environment,
                cwd=ROOT,
            )
        return self._process


if __name__ == "__main__":
    main()
