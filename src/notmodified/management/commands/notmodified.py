"""``manage.py notmodified``: look after the triggers of version fields."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections

from notmodified.writes.triggers.install import State, install, states, uninstall


class Command(BaseCommand):
    help = "Installs, removes and lists the triggers that keep version fields moving."

    def add_arguments(self, parser: ArgumentParser) -> None:
        topics = parser.add_subparsers(dest="topic", required=True)
        triggers = topics.add_parser("triggers", help=self.help)
        triggers.add_argument("action", choices=["install", "uninstall", "ls", "check"])
        triggers.add_argument("--database", default=DEFAULT_DB_ALIAS)

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        action = options["action"]
        if action == "install":
            refusals = install(connection)
            for refused in refusals:
                self.stderr.write(f"{refused.model._meta.label}: {refused.error}")
                self.stderr.write(";\n".join(refused.sql) + ";")
            if refusals:
                raise CommandError(
                    "The database did not let us create them. An owner can run the SQL above."
                )
        elif action == "uninstall":
            uninstall(connection)
        found = list(states(connection))
        for state in found:
            self._show(state)
        if action == "check" and any(state.missing or state.leftover for state in found):
            raise CommandError("Run: manage.py notmodified triggers install")

    def _show(self, state: State) -> None:
        missing = {trigger.name for trigger in state.missing}
        self.stdout.write(state.model._meta.label)
        for trigger in state.expected:
            status = "missing" if trigger.name in missing else "installed"
            self.stdout.write(f"  {status:<9}  {trigger.name}  on {trigger.table}")
        for table, name in state.leftover:
            self.stdout.write(f"  leftover   {name}  on {table}")
