"""Which repository was seen at which address."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select

from airflow_backup.catalog.database import Database
from airflow_backup.catalog.tables import repositories
from airflow_backup.core.clock import utc_now


class Repositories:
    """The repositories that were written to or synced."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._database, self._clock = database, clock

    def get(self, url: str) -> str | None:
        """Return the id of the repository that is known at an address."""
        query = select(repositories.c.id).where(repositories.c.url == url)
        with self._database.reading() as connection:
            found: str | None = connection.scalar(query)
        return found

    def record(self, url: str, repository_id: str) -> None:
        """Note what is at an address from now on."""
        if self.get(url) == repository_id:
            return
        with self._database.writing(alone="repositories") as connection:
            connection.execute(repositories.delete().where(repositories.c.url == url))
            connection.execute(
                repositories.insert().values(url=url, id=repository_id, seen_at=self._clock())
            )
