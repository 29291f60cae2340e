"""What ``table()`` costs against the table's size, per engine and method, and against reading it.

The baseline of each size is the plain thing: fetching all rows of the table into Python, which any
view that lists them does at least.
"""

from __future__ import annotations

import os
import sys

SIZES = (1_000, 10_000, 100_000)


def measure(name: str) -> None:
    import django

    from benchmarks.interleaved import as_markdown, compare

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.http import HttpRequest
    from tests.site.models import Book

    from notmodified.validators import field, table

    call_command("migrate", run_syncdb=True, verbosity=0)
    request = HttpRequest()
    methods = ["hash", "checksum", "update_time"] if connection.vendor == "mysql" else ["hash"]

    def read_all() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM site_book")
            return len(cursor.fetchall())

    for size in SIZES:
        Book.objects.all().delete()
        rows = (Book(title=f"Book {number}", copies=number) for number in range(size))
        Book.objects.bulk_create(rows, batch_size=5_000)
        calls = {"read all rows": read_all}
        for method in methods:
            validator = table(Book, method=method)  # type: ignore[arg-type]
            calls[f'table(method="{method}")'] = lambda v=validator: v.version(request)
        every = field(Book)
        calls["field(Book)"] = lambda v=every: v.version(request)
        one = field(lambda request: Book.objects.filter(pk=Book.objects.values("pk")[:1]))
        calls["field of one row"] = lambda v=one: v.version(request)
        ratios = compare(calls, "read all rows", rounds=11, seconds_per_turn=0.05)
        print(f"\n### {name}, {size:,} rows\n")
        print(as_markdown(ratios, "reading all rows"))
    Book.objects.all().delete()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    measure(sys.argv[1])
