"""The front of the catalog: one attribute for each noun."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from airflow_backup.catalog.changes import Changes
from airflow_backup.catalog.database import Database
from airflow_backup.catalog.migrate import upgrade
from airflow_backup.catalog.notices.monitor_state import MonitorState
from airflow_backup.catalog.notices.outbox import Outbox
from airflow_backup.catalog.runs.history import History
from airflow_backup.catalog.runs.leases import Leases
from airflow_backup.catalog.runs.orders import Orders
from airflow_backup.catalog.runs.skips import Skips
from airflow_backup.catalog.stores.deployed import DeployedSchedules
from airflow_backup.catalog.stores.events import Events
from airflow_backup.catalog.stores.executions import Executions
from airflow_backup.catalog.stores.holds import Holds
from airflow_backup.catalog.stores.load_errors import LoadErrors
from airflow_backup.catalog.stores.repositories import Repositories
from airflow_backup.catalog.stores.schedules import Schedules
from airflow_backup.catalog.stores.sets import Sets
from airflow_backup.catalog.stores.standings import Standings
from airflow_backup.catalog.stores.tickets import Tickets
from airflow_backup.catalog.stores.verifications import Verifications
from airflow_backup.catalog.sums import StoredSums


class Catalog:
    """
    An open catalog; may be shared between threads, and closes with its ``with`` block.

    Everything raises CatalogError when the database fails, which is worth a retry.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.executions = Executions(database)
        self.sets = Sets(database)
        self.verifications = Verifications(database)
        self.schedules = Schedules(database)
        self.holds = Holds(database)
        self.deployed = DeployedSchedules(database)
        self.load_errors = LoadErrors(database)
        self.events = Events(database)
        self.repositories = Repositories(database)
        self.tickets = Tickets(database)
        self.standings = Standings(database)
        self.monitor_state = MonitorState(database)
        self.outbox = Outbox(database)
        self.orders = Orders(database)
        self.leases = Leases(database)
        self.skips = Skips(database)
        self.history = History(database)
        self.changes = Changes(database)
        self.sums = StoredSums(database)

    @classmethod
    def open(cls, url: str, *, patience: float = 0.0) -> Self:
        """
        Open the catalog at a SQLAlchemy URL, made or upgraded when needed.

        A database that does not answer is asked again for ``patience`` seconds, each time that it is needed.

        >>> with Catalog.open("sqlite://") as catalog:
        ...     catalog.executions.active()
        []
        """
        database = Database(url, patience=patience)
        try:
            upgrade(database)
        except BaseException:
            database.close()
            raise
        return cls(database)

    @property
    def name(self) -> str:
        """The address for messages, without its password."""
        return self._database.name

    def impatient(self) -> Catalog:
        """Return the same catalog for those who would rather know at once that it does not answer."""
        return Catalog(self._database.impatient())

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
