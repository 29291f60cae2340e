"""What the database's own catalogue says of tables, views and triggers, in a question or two.

Rules of this module:

- Where a database has two tables whose names differ by case only, neither can be covered.
- On PostgreSQL a table may show the rows of others: its partitions, or those that inherit from it.
  They are a *family*, and each is told of what happens to the others. Partitions come and go while
  a site runs, so without an event trigger that says so, no family can be covered; nor can a
  materialized view, which has nothing else to say when it is refreshed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from django.db.backends.base.base import BaseDatabaseWrapper

from notmodified.writes.triggers.vendor import LOG_PREFIX

DEFINITIONS: Final = LOG_PREFIX + "definitions"
"""PostgreSQL's event trigger, and its function."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or a view, by the name that the database has for it.

    `problem` says why triggers on it would not tell all.
    `view` is the query that a view stands for. `policies` are the conditions by which rows are
    shown to who asks (row security), or to who asks to lock them. `above` are the tables that show
    the rows of this one, `below` those whose rows this one shows. `triggers` says whether there is
    anything that triggers could tell of.
    """

    name: str
    problem: str | None = None
    view: str | None = None
    policies: tuple[str, ...] = ()
    above: frozenset[str] = frozenset()
    below: frozenset[str] = frozenset()
    triggers: bool = True


_UNSTEADY: Final = (
    "@|\\\\b(now|sysdate|current_|curdate|curtime|local|utc_|unix_timestamp|rand|uuid|user|"
    "session_user|system_user|database|schema|connection_id)"
)
"""What a generated column may be made from that no row holds; it is asked for at each reading."""

_RELATIONS: Final = {
    "sqlite": (
        "SELECT name, type, CASE type WHEN 'view' THEN sql END, NULL FROM sqlite_master "
        "WHERE type IN ('table', 'view') AND NOT (type = 'table' AND rootpage = 0)"
    ),
    "postgresql": (
        "SELECT c.relname, c.relkind::text, "
        "CASE c.relkind WHEN 'v' THEN pg_get_viewdef(c.oid) END, "
        "CASE WHEN c.relrowsecurity THEN ARRAY(SELECT pg_get_expr(p.polqual, p.polrelid) "
        "FROM pg_policy p WHERE p.polrelid = c.oid AND p.polcmd IN ('*', 'r', 'w') "
        "AND p.polqual IS NOT NULL) END "
        "FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') "
        "AND pg_table_is_visible(c.oid) AND c.relnamespace <> 'pg_catalog'::regnamespace"
    ),
    "mysql": (
        # Its own name in front of every table tells nothing.
        "SELECT t.table_name, CASE WHEN COALESCE(t.engine, 'InnoDB') <> 'InnoDB' THEN t.engine "
        "WHEN u.table_name IS NOT NULL THEN 'one with a column that no row holds' "
        "ELSE t.table_type END, "
        "REPLACE(v.view_definition, CONCAT('`', DATABASE(), '`.'), ''), NULL "
        "FROM information_schema.tables t "
        "LEFT JOIN information_schema.views v "
        "ON v.table_schema = t.table_schema AND v.table_name = t.table_name "
        "LEFT JOIN (SELECT DISTINCT table_name FROM information_schema.columns "
        "WHERE table_schema = DATABASE() AND generation_expression IS NOT NULL "
        f"AND generation_expression REGEXP '{_UNSTEADY}') u ON u.table_name = t.table_name "
        "WHERE t.table_schema = DATABASE()"
    ),
}
"""Name, kind, the query of a view, and the conditions of row security, if there is any."""

_FAMILIES: Final = (
    "SELECT p.relname, c.relname, "
    "pg_table_is_visible(p.oid) AND pg_table_is_visible(c.oid) "
    "FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class p ON p.oid = i.inhparent "
    "JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid WHERE p.relkind IN ('r', 'p')"
)
"""Who shows whose rows, and whether both are in sight."""

_EVENT_TRIGGER: Final = (
    "SELECT 1 FROM pg_event_trigger "
    "WHERE evtname = %s AND evtenabled IN ('O', 'A') AND evttags IS NULL"
)

_PLAIN: Final = frozenset({"table", "r", "p", "BASE TABLE"})
_VIEWS: Final = frozenset({"view", "v", "VIEW"})
_REFRESHED: Final = "m"
_UNTOLD: Final = (
    "which nobody tells of without an event trigger (it takes a superuser to run "
    "manage.py notmodified triggers install)"
)


def relations(connection: BaseDatabaseWrapper) -> Mapping[str, Relation]:
    """The tables and views that the connection sees, by name in lower case."""
    with connection.cursor() as cursor:
        cursor.execute(_RELATIONS[connection.vendor])
        rows = cursor.fetchall()
    told = connection.vendor == "postgresql" and watches_definitions(connection)
    found: dict[str, Relation] = {}
    for name, kind, view, policies in rows:
        if kind in _VIEWS:
            relation = Relation(name, view=view or "", triggers=False)
        elif kind == _REFRESHED:
            relation = Relation(
                name, None if told else f"its refreshing is a thing {_UNTOLD}", triggers=False
            )
        elif kind not in _PLAIN:
            relation = Relation(name, f"it is no plain table, but {kind}")
        else:
            relation = Relation(name, policies=tuple(policies or ()))
        if name.lower() in found:
            relation = Relation(name, "two tables have this name, in another case")
        found[name.lower()] = relation
    if connection.vendor == "postgresql":
        _unite(connection, found, told)
    return found


def watches_definitions(connection: BaseDatabaseWrapper) -> bool:
    """Whether PostgreSQL itself says when definitions are changed."""
    with connection.cursor() as cursor:
        cursor.execute(_EVENT_TRIGGER, [DEFINITIONS])
        return cursor.fetchone() is not None


def _unite(connection: BaseDatabaseWrapper, found: dict[str, Relation], told: bool) -> None:
    """Say of each relation in `found` who is above and below it."""
    with connection.cursor() as cursor:
        cursor.execute(_FAMILIES)
        edges = [(p.lower(), c.lower(), in_sight) for p, c, in_sight in cursor.fetchall()]
    down = [(parent, child) for parent, child, _ in edges]
    up = [(child, parent) for parent, child in down]
    hidden = {name for parent, child, in_sight in edges if not in_sight for name in (parent, child)}
    for name in {name for edge in down for name in edge} & found.keys():
        above, below = reached(name, up), reached(name, down)
        family = {name, *above, *below}
        problem = found[name].problem
        if not told:
            problem = problem or f"it has partitions or inherits, {_UNTOLD}"
        elif family & hidden or not family <= found.keys():
            problem = problem or "of its family, some are not in sight"
        found[name] = replace(found[name], problem=problem, above=above, below=below)
    problems = {name: one.problem for name, one in found.items() if one.problem}
    for name, relation in found.items():
        odd = sorted((relation.above | relation.below) & problems.keys())
        if relation.problem is None and odd:
            found[name] = replace(relation, problem=f"{odd[0]} of its family: {problems[odd[0]]}")


def reached(start: str, edges: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Where one comes to from `start` by one edge or more."""
    edges = list(edges)
    found: set[str] = set()
    frontier = {start}
    while frontier:
        frontier = {there for here, there in edges if here in frontier} - found
        found |= frontier
    return frozenset(found)


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
    return _columns(connection, _TEXTS)


_NO_INTEGERS: Final = {
    "sqlite": (
        "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c "
        "WHERE m.type = 'table' AND lower(c.type) NOT LIKE '%int%'"
    ),
    "postgresql": (
        "SELECT c.relname, a.attname FROM pg_catalog.pg_class c "
        "JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid "
        "WHERE c.relkind IN ('r', 'p', 'm') AND pg_table_is_visible(c.oid) AND a.attnum > 0 "
        "AND a.atttypid NOT IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)"
    ),
    "mysql": (
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = DATABASE() AND (column_type LIKE '%zerofill%' OR data_type NOT IN "
        "('tinyint', 'smallint', 'mediumint', 'int', 'bigint'))"
    ),
}


def no_integers(connection: BaseDatabaseWrapper) -> frozenset[tuple[str, str]]:
    """The tables and columns, in lower case, that write an integer otherwise than as its digits,
    whatever a model calls them: ``5.00``, ``00005``."""
    return _columns(connection, _NO_INTEGERS)


def _columns(
    connection: BaseDatabaseWrapper, questions: Mapping[str, str]
) -> frozenset[tuple[str, str]]:
    question = questions.get(connection.vendor)
    if question is None:
        return frozenset()
    with connection.cursor() as cursor:
        cursor.execute(question)
        return frozenset((table.lower(), column.lower()) for table, column in cursor.fetchall())
