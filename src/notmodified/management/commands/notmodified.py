"""``manage.py notmodified``: look after triggers, those of version fields and those of the log; say
what a page is made from; put a ledger in charge.
"""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from notmodified import auditing, conf, explaining
from notmodified.exchange.audit import forget_findings
from notmodified.ledger.database.names import CHARGE
from notmodified.ledger.shared.ledger import LEASE
from notmodified.ledger.shared.memory import SharedMemoryError
from notmodified.management import show
from notmodified.middleware import is_automatic
from notmodified.records.databases import all_tables
from notmodified.writes.log import install as log
from notmodified.writes.log.definitions import watches_definitions
from notmodified.writes.shared import (
    in_charge,
    memory_of,
    put_in_charge,
    take_out_of_charge,
)
from notmodified.writes.triggers import install as versions


class Command(BaseCommand):
    help = "Looks after the triggers that tell what has moved, and explains what becomes of a page."

    def add_arguments(self, parser: ArgumentParser) -> None:
        topics = parser.add_subparsers(dest="topic", required=True)
        triggers = topics.add_parser("triggers", help="install, remove and list them")
        triggers.add_argument("action", choices=["install", "uninstall", "ls", "check"])
        triggers.add_argument("--database", default=DEFAULT_DB_ALIAS)
        explain = topics.add_parser("explain", help="what a page depends on, and why")
        explain.add_argument("url", help="a path, or an address of the site's")
        explain.add_argument("--user", help="the name of somebody who is logged in")
        explain.add_argument(
            "--header", action="append", default=[], help="as in --header 'Accept-Language: de'"
        )
        explain.add_argument("--json", action="store_true", help="for machines")

        audit = topics.add_parser("audit", help="whether pages are what their records say")
        audit.add_argument("url", nargs="*", help="paths, or addresses of the site's")
        audit.add_argument("--all", action="store_true", help="all that take no parameters")
        audit.add_argument("--user", help="the name of somebody who is logged in")
        audit.add_argument("--times", type=int, default=3, help="how often each is compared")
        audit.add_argument("--json", action="store_true", help="for machines")
        audit.add_argument("--forget", action="store_true", help="what was found is mended")

        ledger = topics.add_parser("ledger", help="which ledger is in charge of a database")
        ledger.add_argument("action", choices=["show", "use"])
        ledger.add_argument("ledger", nargs="?", choices=["database", conf.SHARED])
        ledger.add_argument("--database", default=DEFAULT_DB_ALIAS)
        ledger.add_argument("--force", action="store_true", help="also where another is in charge")
        ledger.add_argument("--no-wait", action="store_true", help="no process is running")

    def handle(self, *args: Any, **options: Any) -> None:
        topics = {
            "triggers": self._triggers,
            "explain": self._explain,
            "audit": self._audit,
            "ledger": self._ledger,
        }
        topics[options["topic"]](options)

    def _ledger(self, options: dict[str, Any]) -> None:
        connection = connections[options["database"]]
        if options["action"] == "use":
            if options["ledger"] is None:
                raise CommandError("Say which: ledger use database, or ledger use shared.")
            if options["ledger"] == conf.SHARED:
                self._use_shared(connection, force=options["force"])
            else:
                self._use_database(connection, wait=not options["no_wait"])
        charge = in_charge(connection)
        self.stdout.write(
            f"In charge of {connection.alias!r}: "
            + ("the database itself" if charge is None else f"shared memory ({charge})")
        )

    def _use_shared(self, connection: BaseDatabaseWrapper, *, force: bool) -> None:
        if conf.current().LEDGER != conf.SHARED:
            raise CommandError(
                "Set NOTMODIFIED['LEDGER'] = 'shared' first, and restart every process that writes "
                "to this database."
            )
        try:
            memory = memory_of(connection)
        except SharedMemoryError as error:
            raise CommandError(f"{error}.") from error
        if memory is None:
            raise CommandError("A database in the memory of one process needs no shared memory.")
        charge = in_charge(connection)
        if charge is not None and not memory.is_named_in(charge) and not force:
            raise CommandError(
                f"Another file is in charge ({charge}): of another machine or container, or of "
                f"before {memory.path} was removed. If no process uses it any more, say --force."
            )
        if CHARGE not in connection.introspection.table_names():
            raise CommandError("Run: manage.py migrate")
        try:
            put_in_charge(connection, memory)
        except SharedMemoryError as error:
            raise CommandError(f"{error}.") from error

    def _use_database(self, connection: BaseDatabaseWrapper, *, wait: bool) -> None:
        take_out_of_charge(connection)
        if wait:
            self.stdout.write(f"Waiting {LEASE:g} seconds, until every process has noticed …")
            time.sleep(LEASE)
        self.stdout.write("From now on processes with any LEDGER may write.")

    def _audit(self, options: dict[str, Any]) -> None:
        if options["forget"]:
            forget_findings()
        urls = [*options["url"], *(auditing.all_urls() if options["all"] else ())]
        if not urls:
            if options["forget"]:
                return
            raise CommandError("Say which: audit /some/page/, or audit --all.")
        try:
            found = [
                auditing.audit(url, times=options["times"], user=options["user"]) for url in urls
            ]
        except explaining.UnknownUserError as error:
            raise CommandError(str(error)) from None
        if options["json"]:
            self.stdout.write(json.dumps([asdict(one) for one in found], indent=2))
        else:
            show.findings(found, self.stdout)
        if any(one.outcome == auditing.DIFFERS for one in found):
            raise CommandError("Something shapes a page that nobody sees: see never_recorded.")

    def _explain(self, options: dict[str, Any]) -> None:
        headers = [header.partition(":") for header in options["header"]]
        if not all(name.strip() and colon for name, colon, _ in headers):
            raise CommandError("A header has a name and a value: --header 'Accept-Language: de'.")
        try:
            found = explaining.ask(
                options["url"],
                user=options["user"],
                headers={name.strip(): value.strip() for name, _, value in headers},
            )
        except explaining.UnknownUserError as error:
            raise CommandError(str(error)) from None
        if options["json"]:
            self.stdout.write(json.dumps(found.as_dict(), indent=2))
        else:
            show.explanation(found, self.stdout)

    def _triggers(self, options: dict[str, Any]) -> None:
        connection = connections[options["database"]]
        with_log = is_automatic() and log.is_supported(connection)
        action = options["action"]
        if action == "install":
            self._install(connection, with_log)
        elif action == "uninstall":
            versions.uninstall(connection)
            if log.is_supported(connection):
                log.uninstall(connection)
        wrong = self._show_versions(connection)
        if with_log:
            wrong |= self._show_log(connection)
        if action == "check" and wrong:
            raise CommandError("Run: manage.py notmodified triggers install")

    def _install(self, connection: BaseDatabaseWrapper, with_log: bool) -> None:
        refusals: list[tuple[str, DatabaseError, Iterable[str]]] = [
            (refused.model._meta.label, refused.error, refused.sql)
            for refused in versions.install(connection)
        ]
        if with_log:
            refusals += [
                (refused.table, refused.error, refused.sql)
                for refused in log.install(connection, all_tables(connection))
            ]
        for what, error, sql in refusals:
            self.stderr.write(f"{what}: {error}")
            self.stderr.write(";\n".join(sql) + ";")
        if refusals:
            raise CommandError(
                "The database did not let us create them. An owner can run the SQL above."
            )

    def _show_versions(self, connection: BaseDatabaseWrapper) -> bool:
        """Whether something is wrong."""
        wrong = False
        for state in versions.states(connection):
            missing = {trigger.name for trigger in state.missing}
            self.stdout.write(state.model._meta.label)
            for trigger in state.expected:
                self._show(trigger.name, trigger.table, is_there=trigger.name not in missing)
            for table, name in state.leftover:
                self.stdout.write(f"  leftover   {name}  on {table}")
            wrong |= bool(state.missing or state.leftover)
        return wrong

    def _show_log(self, connection: BaseDatabaseWrapper) -> bool:
        wrong = False
        self.stdout.write("The log")
        for state in log.states(connection, all_tables(connection)):
            missing = {trigger.name for trigger in state.missing}
            for trigger in state.expected:
                self._show(trigger.name, trigger.table, is_there=trigger.name not in missing)
            for name in state.leftover:
                self.stdout.write(f"  leftover   {name}  on {state.table}")
            if state.problem:
                self.stdout.write(f"  not covered  {state.table}: {state.problem}")
            wrong |= bool(state.missing or state.leftover)
        if connection.vendor == "postgresql" and not watches_definitions(connection):
            self.stdout.write(
                "  no event trigger: changes of tables that migrate does not make are not seen"
            )
        return wrong

    def _show(self, name: str, table: str, *, is_there: bool) -> None:
        status = "installed" if is_there else "missing"
        self.stdout.write(f"  {status:<9}  {name}  on {table}")
