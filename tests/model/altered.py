"""The ledgers in the database with one thing altered: planted defects, most of them."""

from __future__ import annotations

from typing import Any

from tests.model.ledgers import Mysql, Postgresql, Sqlite
from tests.model.world import Database, Reader, Transaction


class LastNumber(Sqlite):
    """The last line as a position, where lines are not in the order of the commits."""

    name = "last number of many writers"

    def number(self, database: Database, transaction: Transaction) -> int | None:
        return database.number + 1


class SqliteWithoutStamps(Sqlite):
    name = "SQLite without stamps"

    def knows(self, database: Database, position: Any) -> bool:
        return any(line.number == position.number for line in database.lines())


class SqliteWithoutHorizon(Sqlite):
    """It judges from positions whose lines are forgotten."""

    name = "SQLite without a horizon"

    def knows(self, database: Database, position: Any) -> bool:
        forgotten = min(line.number for line in database.lines()) > position.number
        return forgotten or super().knows(database, position)


class SqliteAskedElsewhere(Sqlite):
    """A reader's position is asked on the ledger's own connection."""

    name = "SQLite asked elsewhere"

    def position_of(self, database: Database, reader: Reader) -> Any | None:
        return self.position(database)


class SqliteOfAnyFile(Sqlite):
    """Positions outlive the file, and the connection that is held to it."""

    name = "SQLite of any file"

    def same_life(self, database: Database, position: Any) -> bool:
        return True


class PostgresqlInTransactions(Postgresql):
    """A position although a transaction is under way."""

    name = "PostgreSQL in transactions"

    def position_of(self, database: Database, reader: Reader) -> Any | None:
        return self.position(database)


class PostgresqlOfAllLives(Postgresql):
    name = "PostgreSQL of all lives"

    def same_life(self, database: Database, position: Any) -> bool:
        return True


class PostgresqlWithoutHorizon(Postgresql):
    name = "PostgreSQL without a horizon"

    def reaches(self, database: Database, position: Any) -> bool:
        return True


class PostgresqlWithoutRunning(Postgresql):
    """Snapshots that list no running transactions, as those of a standby."""

    name = "PostgreSQL without running transactions"

    def running(self, database: Database) -> frozenset[int]:
        return frozenset()


class MysqlAskedElsewhere(Mysql):
    """A reader's position is asked on the ledger's own connection."""

    name = "MariaDB asked elsewhere"

    def position_of(self, database: Database, reader: Reader) -> Any | None:
        return self.position(database)


class MysqlCount(Mysql):
    """The number of the lines in the place of the sum of their stamps."""

    name = "MariaDB with a count"

    def sum(self, database: Database, last: int) -> Any:
        return len(super().sum(database, last))


class MysqlWithoutHorizon(Mysql):
    name = "MariaDB without a horizon"

    def reaches(self, database: Database, position: Any) -> bool:
        return True


class MysqlWithoutForgotten(Mysql):
    """Sums of the lines that are left."""

    name = "MariaDB without what was forgotten"

    def sum(self, database: Database, last: int) -> Any:
        return super().sum(database._replace(forgotten=frozenset()), last)


class MysqlWithoutEither(MysqlWithoutForgotten, MysqlWithoutHorizon):
    name = "MariaDB without what was forgotten and a horizon"
