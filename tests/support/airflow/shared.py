"""
Airflows that the files of a folder share: they stand still while no test of that folder runs.

One that does nothing still takes a third of a core, and a run of all tests has several of them for most of its time.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from support.airflow.home import AirflowHome

_SHARED = pytest.StashKey[list[tuple[Path, AirflowHome]]]()


def share(config: pytest.Config, folder: Path, home: AirflowHome) -> None:
    """Say that the tests below `folder` share an Airflow."""
    config.stash.setdefault(_SHARED, []).append((folder, home))


def wake(item: pytest.Item) -> None:
    """Let what the test uses go on."""
    for folder, home in item.config.stash.get(_SHARED, []):
        if folder in item.path.parents:
            home.go_on()


def rest(item: pytest.Item) -> None:
    """Let all stand still."""
    for _, home in item.config.stash.get(_SHARED, []):
        home.hold()
