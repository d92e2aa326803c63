"""
Which schedules changed since somebody looked: the database itself notes it, whichever release or person writes.

A reader keeps a mark. On SQLite, where one writes at a time, it is the number of the last note. On PostgreSQL numbers
become visible in another order than they were given, so there it says which transactions were not over.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Table,
    delete,
    or_,
    select,
    text,
)

from airflow_backup.catalog.columns import Counter, Moment, id_column, metadata
from airflow_backup.catalog.database import Database

KEPT = timedelta(hours=1)
"""How long a note is kept. Who looked longer ago than half of that reads everything again."""

_AT_ONCE = 1000
"""How many notes one run takes away: more than it makes, and never so many that it takes time."""

changes = Table(
    "changes",
    metadata,
    Column("id", Counter, primary_key=True),
    id_column(),
    Column("at", Moment, nullable=False),
    Column("transaction", BigInteger),
    Index("ix_changes_transaction", "transaction"),
    Index("ix_changes_at", "at"),
    sqlite_autoincrement=True,  # a number that was taken away is never given again
)

WATCHED = ("executions", "sets", "lost_sets", "verifications", "first_seen")
"""What says how safe a schedule is."""

_OLD, _NEW = (f"SELECT {row}.schedule_id AS schedule_id" for row in ("OLD", "NEW"))
_EVENTS = {"INSERT": _NEW, "UPDATE": f"{_NEW} UNION {_OLD}", "DELETE": _OLD}
_TRIGGER = "changes_of_{table}_{event}"
# With the rights of who owns the tables: others may write some of them, and know nothing of this one. So it looks for
# no name where others could make one (pg_temp last, for else it is first), and writes beside itself alone: it may be
# called from a table of another schema, and the catalog's own may be in two, where a search_path names several.
_MAKE_FUNCTION = """
CREATE OR REPLACE FUNCTION airflow_backup_note_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  home name;
  changed record;
BEGIN
  SELECT nspname INTO STRICT home FROM pg_trigger
  JOIN pg_proc ON pg_proc.oid = tgfoid JOIN pg_namespace ON pg_namespace.oid = pronamespace
  WHERE tgrelid = TG_RELID AND tgname = TG_NAME;
  IF TG_OP = 'DELETE' THEN changed := OLD; ELSE changed := NEW; END IF;
  LOOP
    EXECUTE format('INSERT INTO %I.changes (schedule_id, at, transaction) VALUES ($1, clock_timestamp(), $2)', home)
    USING changed.schedule_id, pg_current_xact_id()::text::bigint;
    EXIT WHEN TG_OP <> 'UPDATE' OR changed.schedule_id = OLD.schedule_id;
    changed := OLD;
  END LOOP;
  RETURN NULL;
END
$$
"""
_KEEP_FUNCTION = "REVOKE EXECUTE ON FUNCTION airflow_backup_note_change() FROM PUBLIC"
"""Nobody else calls it for a table of their own; for those of the catalog nobody is asked."""

_MAKE_ON_POSTGRESQL = """
CREATE TRIGGER {name} AFTER INSERT OR UPDATE OR DELETE ON {table}
FOR EACH ROW EXECUTE FUNCTION airflow_backup_note_change()
"""
_MAKE_ON_SQLITE = """
CREATE TRIGGER {name} AFTER {event} ON {table} BEGIN
  INSERT INTO changes (schedule_id, at)
  SELECT schedule_id, strftime('%Y-%m-%d %H:%M:%f000', 'now') FROM ({rows});
END
"""


def triggers(dialect: str, tables: Iterable[str] = WATCHED) -> dict[str, str]:
    """Return the triggers of a kind of database: by name, the statement that makes it."""
    if dialect != "sqlite":
        names = {_TRIGGER.format(table=table, event="any"): table for table in tables}
        return {
            name: _MAKE_ON_POSTGRESQL.format(name=name, table=table)
            for name, table in names.items()
        }
    return {
        (name := _TRIGGER.format(table=table, event=each.lower())): _MAKE_ON_SQLITE.format(
            name=name, table=table, event=each, rows=rows
        )
        for table in tables
        for each, rows in _EVENTS.items()
    }


def note_changes(connection: Connection, tables: Iterable[str] = WATCHED) -> None:
    """Let the database note the changes of tables that are there."""
    dialect = connection.dialect.name
    if dialect != "sqlite":
        connection.execute(text(_MAKE_FUNCTION))
        connection.execute(text(_KEEP_FUNCTION))
    for statement in triggers(dialect, tables).values():
        connection.execute(text(statement))


def triggers_in(connection: Connection) -> frozenset[str]:
    """Return the names of the triggers of the catalog's tables."""
    if connection.dialect.name == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    else:
        # One that is switched off is none.
        query = (
            "SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
            "WHERE NOT tgisinternal AND tgenabled <> 'D' AND pg_table_is_visible(pg_class.oid)"
        )
    return frozenset(connection.scalars(text(query)))


@dataclass(frozen=True, slots=True)
class Mark:
    """Up to where a reader knows the changes of a database."""

    last: tuple[int, str, datetime] | None
    """The newest note: who does not find it again reads another history, or too much was forgotten meanwhile."""

    after: int
    """The number of that note; on PostgreSQL the first transaction that had not begun."""

    unfinished: tuple[int, ...] = ()
    """Those that had begun, and were not over."""

    place: str = ""
    """Where it was: another server, and tables that were filled anew, say nothing of what they do not hold any more."""


class Changes:
    """What changed since a mark."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def since(self, mark: Mark | None) -> tuple[Mark, set[str] | None]:
        """
        Return a new mark, and the schedules that changed since an older one, at least; None where nobody can tell.

        Whoever reads those schedules now and asks again with the new mark misses nothing.
        """
        with self._database.reading() as connection:
            newest = self._mark(connection)
            if mark is None or not _continues(connection, mark, newest):
                return newest, None
            own = changes.c
            if self._database.is_sqlite:
                is_new = own.id > mark.after
            else:
                is_new = or_(own.transaction >= mark.after, own.transaction.in_(mark.unfinished))
            return newest, set(connection.scalars(select(own.schedule_id).where(is_new).distinct()))

    def _mark(self, connection: Connection) -> Mark:
        if self._database.is_sqlite:
            last = _note(connection)
            return Mark(last, 0 if last is None else last[0])
        place, snapshot, is_standby = connection.execute(text(_LOOK), {"tables": _TABLES}).one()
        oldest, first, unfinished = snapshot.split(":")
        # A standby does not tell which ones are at work.
        after = oldest if is_standby else first
        numbers = tuple(int(each) for each in unfinished.split(",") if each)
        return Mark(_note(connection), int(after), numbers, place)


_TABLES = ["changes", *WATCHED]
_LOOK = """
SELECT concat_ws(' ', pg_postmaster_start_time(), (SELECT string_agg(pg_relation_filenode(to_regclass(name))::text, ' ')
  FROM unnest(CAST(:tables AS text[])) AS name)), CAST(pg_current_snapshot() AS text), pg_is_in_recovery()
"""


def _note(connection: Connection, number: int | None = None) -> tuple[int, str, datetime] | None:
    """Return a note, the newest one without a number; None where there is none."""
    query = select(changes.c.id, changes.c.schedule_id, changes.c.at)
    if number is not None:
        query = query.where(changes.c.id == number)
    found = connection.execute(query.order_by(changes.c.id.desc()).limit(1)).first()
    return None if found is None else (found.id, found.schedule_id, found.at)


def _continues(connection: Connection, mark: Mark, newest: Mark) -> bool:
    """Whether a mark is of the history that the newest one is of, and nothing that came after it was forgotten."""
    if mark.place != newest.place:
        return False
    if mark.last is None:
        return newest.last is None or _note(connection, 1) is not None
    return mark.last == _note(connection, mark.last[0])


def forget_changes(connection: Connection) -> None:
    """
    Take old notes away, within a transaction that writes anyway; those that another one is taking are its own.

    The clock is the database's, as it is that of the notes: one of many workers may be ahead.
    """
    ago = int(KEPT.total_seconds())
    if connection.dialect.name == "sqlite":
        limit = text("at < strftime('%Y-%m-%d %H:%M:%f000', 'now', :ago)").bindparams(
            ago=f"-{ago} seconds"
        )
    else:
        limit = text("at < clock_timestamp() - make_interval(secs => :ago)").bindparams(ago=ago)
    old = select(changes.c.id).where(limit).order_by(changes.c.id)
    old = old.limit(_AT_ONCE).with_for_update(skip_locked=True)
    connection.execute(delete(changes).where(changes.c.id.in_(old)))
