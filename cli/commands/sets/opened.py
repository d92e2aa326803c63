"""What a command that reads sets needs: the storage, who made the sets, and what opens them."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_backup.cli.arguments import keys, public_keys, schedule
from airflow_backup.core.connections import from_environment

if TYPE_CHECKING:
    from airflow_backup.actions.sets.trust import Trust
    from airflow_backup.core.format.age import Identity
    from airflow_backup.schedules.model.schedule import Schedule
    from airflow_backup.schedules.model.sources import EngineOptions
    from airflow_backup.storage.protocol import Storage


@dataclass(frozen=True)
class Opened:
    """The sets of a schedule: of one in a schedules file, or of one that only a repository is known of."""

    schedule: Schedule | None
    storage: Storage
    trust: Trust
    keys: list[Identity]

    @property
    def source(self) -> EngineOptions | None:
        """The source's options, where a schedule is at hand."""
        return None if self.schedule is None else self.schedule.source


def opened(arguments: argparse.Namespace) -> Opened:
    """Open what ``--repository`` names, or the repository of the schedule."""
    from airflow_backup.actions.sets.encryption import secret_keys
    from airflow_backup.actions.sets.trust import Trust
    from airflow_backup.storage.open import open_storage

    own_keys, signers = keys(arguments), public_keys(arguments)
    if arguments.repository is not None:
        storage = open_storage(arguments.repository, from_environment)
        trust = Trust(arguments.schedule, arguments.engine, signers=signers)
        return Opened(None, storage, trust, own_keys or [])
    item = schedule(arguments.schedules, arguments.schedule)
    storage = open_storage(item.repository, from_environment, connection=item.connection)
    if own_keys is None:
        own_keys = list(secret_keys(item.encryption, from_environment))
    return Opened(item, storage, Trust.of(item), own_keys)
