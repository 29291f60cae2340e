"""What the database's own catalogue says of tables and triggers, in a question or two.

Rule of this module: where a database has two tables whose names differ by case only, neither can be
covered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.db.backends.base.base import BaseDatabaseWrapper


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or a view. `problem` says why triggers on it would not tell all; `view` is the query
    that a view stands for."""

    problem: str | None = None
    view: str | None = None


_RELATIONS: Final = {
    "sqlite": (
        "SELECT name, type, CASE type WHEN 'view' THEN sql END, 0, 0 FROM sqlite_master "
        "WHERE type IN ('table', 'view') AND NOT (type = 'table' AND rootpage = 0)"
    ),
    "postgresql": (
        "SELECT c.relname, c.relkind::text, "
        "CASE c.relkind WHEN 'v' THEN pg_get_viewdef(c.oid) END, c.relrowsecurity, "
        "EXISTS (SELECT 1 FROM pg_inherits i WHERE c.oid IN (i.inhparent, i.inhrelid)) "
        "FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') "
        "AND pg_table_is_visible(c.oid) AND c.relnamespace <> 'pg_catalog'::regnamespace"
    ),
    "mysql": (
        "SELECT t.table_name, t.table_type, v.view_definition, 0, "
        "COALESCE(t.engine, 'InnoDB') <> 'InnoDB' FROM information_schema.tables t "
        "LEFT JOIN information_schema.views v "
        "ON v.table_schema = t.table_schema AND v.table_name = t.table_name "
        "WHERE t.table_schema = DATABASE()"
    ),
}
"""Name, kind, the query of a view, whether rows are shown by who asks, and what else is odd."""

_PLAIN: Final = frozenset({"table", "r", "BASE TABLE"})
_VIEWS: Final = frozenset({"view", "v", "VIEW"})
_ODD: Final = {
    "postgresql": "it has partitions, or inherits, or others inherit from it",
    "mysql": "its engine is not InnoDB",
}


def relations(connection: BaseDatabaseWrapper) -> Mapping[str, Relation]:
    """The tables and views that the connection sees, by name in lower case."""
    with connection.cursor() as cursor:
        cursor.execute(_RELATIONS[connection.vendor])
        rows = cursor.fetchall()
    found: dict[str, Relation] = {}
    for name, kind, view, secured, odd in rows:
        relation = Relation()
        if kind in _VIEWS:
            relation = Relation("it is a view", view)
        elif kind not in _PLAIN:
            relation = Relation("it is no plain table")
        elif secured:
            relation = Relation("who asks decides which rows there are (row security)")
        elif odd:
            relation = Relation(_ODD[connection.vendor])
        if name.lower() in found:
            relation = Relation("two tables have this name, in another case")
        found[name.lower()] = relation
    return found


_TRIGGERS: Final = {
    "sqlite": "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": (
        "SELECT c.relname, t.tgname FROM pg_catalog.pg_trigger t "
        "JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid "
        "WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND pg_table_is_visible(c.oid)"
    ),
    "mysql": (
        "SELECT event_object_table, trigger_name FROM information_schema.triggers "
        "WHERE event_object_schema = DATABASE()"
    ),
}


def triggers(connection: BaseDatabaseWrapper, prefix: str) -> dict[str, set[str]]:
    """The enabled triggers whose names begin with `prefix`, by table."""
    with connection.cursor() as cursor:
        cursor.execute(_TRIGGERS[connection.vendor])
        found: dict[str, set[str]] = {}
        for table, name in cursor.fetchall():
            if name.startswith(prefix):
                found.setdefault(table, set()).add(name)
    return found


_TEXTS: Final = {
    "sqlite": (
        "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c "
        "WHERE m.type = 'table' AND lower(m.sql) NOT LIKE '%collate%' "
        "AND (lower(c.type) = 'text' OR lower(c.type) LIKE 'varchar%')"
    ),
    "postgresql": (
        "SELECT c.relname, a.attname FROM pg_catalog.pg_class c "
        "JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid "
        "JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation AND l.collisdeterministic "
        "WHERE c.relkind = 'r' AND pg_table_is_visible(c.oid) AND a.attnum > 0 "
        "AND a.atttypid IN ('text'::regtype, 'varchar'::regtype)"
    ),
}


def plain_texts(connection: BaseDatabaseWrapper) -> frozenset[tuple[str, str]]:
    """The tables and columns whose texts are compared byte by byte, in lower case."""
    question = _TEXTS.get(connection.vendor)
    if question is None:
        return frozenset()
    with connection.cursor() as cursor:
        cursor.execute(question)
        return frozenset((table.lower(), column.lower()) for table, column in cursor.fetchall())
