"""
Puts a restored folder in the place of another one, so that a kill at any moment loses nothing.

The restore is made in ``NAME.restoring``. When it is whole, a journal beside it, ``.NAME.restoring.json``, says
so and how what is in the way will be called; then ``NAME`` is renamed to that, ``NAME.restoring`` to ``NAME``, and
the journal removed. Whoever finds a journal does what is left of that.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_backup.actions.restore.marking import end_marker, nobody_works_in
from airflow_backup.actions.restore.replaceable import named
from airflow_backup.actions.restore.target import TargetState
from airflow_backup.core.errors import Refused
from airflow_backup.core.format.plain_json import read_json
from airflow_backup.core.paths.holding import holding, path_of
from airflow_backup.core.paths.own_files import read_own, write_own
from airflow_backup.core.paths.removal import remove_tree
from airflow_backup.engines.shared.restore_marker import MARKER


class Swap:
    """The swap of one target; ``marker`` names what is restored."""

    def __init__(self, target: Path, marker: Mapping[str, Any]) -> None:
        self.target = named(target)
        self.beside = self.target.with_name(f"{self.target.name}.restoring")
        self._journal = self.target.with_name(f".{self.target.name}.restoring.json")
        self._marker = dict(marker)
        self._ready: dict[str, Any] | None = None

    def look(self) -> TargetState | None:
        """Return what a swap that was interrupted means for the plan; None when there was none."""
        found = self._read()
        if found is None:
            return None
        holds = "a restore that is whole and was not yet swapped in"
        if found["marker"] == self._marker:
            return TargetState(holds, replaces=True)
        sets = found["marker"].get("sets") or [{}]
        kept = self.target.with_name(found["kept"])
        where = f"; what was there is in '{kept}'" if not os.path.lexists(self.target) else ""
        return TargetState(
            holds,
            refused=f"'{self.beside}' is a finished restore of something else{where}",
            hint=f"let it be swapped in: --set {sets[-1].get('id')} --replace, or remove it and '{self._journal}'",
        )

    @property
    def is_whole(self) -> bool:
        """Whether the folder beside is a whole restore of what is asked for."""
        found = self._read()
        return found is not None and found["marker"] == self._marker

    def clear(self) -> None:
        """Remove what an attempt at something else left unfinished beside; it is nobody's but ours."""
        with holding(self.target.parent) as parent:
            beside = parent / self.beside.name
            try:
                told = read_json(read_own(beside / MARKER))
            except (FileNotFoundError, NotADirectoryError):
                return
            except (OSError, ValueError):
                told = None
            if told != self._marker:
                with nobody_works_in(beside, self.target):
                    remove_tree(beside)

    def is_ready(self, kept: str) -> None:
        """Write down that the folder beside is whole, and what the target will be called."""
        with holding(self.target.parent) as parent:
            inode = os.lstat(parent / self.beside.name).st_ino
            self._ready = {"marker": self._marker, "kept": kept, "inode": inode}
            partial = parent / f"{self._journal.name}.part"
            write_own(partial, json.dumps(self._ready).encode())
            partial.rename(parent / self._journal.name)

    def carry_out(self) -> Path | None:
        """Do what is left; return where that is which was in the target."""
        with holding(self.target.parent) as parent:
            told = self._ready or self._read(parent)
            if told is None:
                raise Refused(
                    f"'{self._journal}' vanished, and says no more what '{self.beside}' is",
                    hint="who else writes to that folder?",
                )
            kept = self.target.with_name(told["kept"])
            if os.path.lexists(parent / self.beside.name):
                self._finish(parent / self.beside.name, told)
                if os.path.lexists(parent / self.target.name):
                    if os.path.lexists(parent / kept.name):
                        raise Refused(f"'{kept}' is there already", hint="give it another name")
                    self._rename(self.target, kept, parent)
                self._rename(self.beside, self.target, parent)
            _sync(parent)
            (parent / self._journal.name).unlink()
            return kept if os.path.lexists(parent / kept.name) else None

    def _finish(self, beside: Path, told: Mapping[str, Any]) -> None:
        """Take the marker away from what is swapped in; Refused where that is not the folder that was restored."""
        folder = os.open(beside, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if told["inode"] not in (None, os.fstat(folder).st_ino):
                raise Refused(
                    f"'{self.beside}' is another folder than the one that was restored",
                    hint=f"who else writes there? to begin anew: rm {self._journal}",
                )
            end_marker(path_of(folder, beside), self._marker)
        finally:
            os.close(folder)

    def _rename(self, old: Path, new: Path, parent: Path) -> None:
        try:
            os.rename(parent / old.name, parent / new.name)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise Refused(
                f"cannot rename '{old}' to '{new.name}': {why}; the restore is whole in '{self.beside}'",
                hint="mend that, and give the same command again: nothing is restored twice",
            ) from error

    def _read(self, parent: Path | None = None) -> dict[str, Any] | None:
        journal = self._journal if parent is None else parent / self._journal.name
        try:
            found = read_json(read_own(journal))
            return {
                "marker": dict(found["marker"]),
                "kept": _one_name(found["kept"]),
                "inode": found.get("inode"),
            }
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError):
            if not os.path.lexists(self.beside):
                return None
            return {"marker": {}, "kept": "unknown", "inode": None}


def _one_name(name: object) -> str:
    if not isinstance(name, str) or "/" in name or name in ("", ".", ".."):
        raise ValueError("not a name")
    return name


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
