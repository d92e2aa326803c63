"""Manifests as somebody would write them who may write to a repository and wants more than that."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECRET = "canary-3f1c9d"

_PROGRAMS = (
    *(
        "pg_restore",
        "pg_dump",
        "pg_verifybackup",
        "pg_waldump",
        "pg_combinebackup",
        "initdb",
        "postgres",
        "psql",
    ),
    *(
        "mariadb",
        "mariadb-dump",
        "mariadbd",
        "mariadb-install-db",
        "mariadb-binlog",
        "mbstream",
        "mysql",
    ),
    *(
        "mariadb-backup",
        "restic",
        "gbak",
        "nbackup",
        "isql-fb",
        "gfix",
        "sh",
        "export",
        "tar",
        "zstd",
    ),
)
_ENGINES = ("files", "sqlite", "postgres", "mysql", "firebird", "restic", "command", "none", "")


@dataclass(frozen=True)
class Canaries:
    """Programs that leave a mark when they run, and a secret that must not come out."""

    folder: Path

    @classmethod
    def placed(cls, folder: Path) -> Canaries:
        (folder / "evil").mkdir(parents=True)
        for name in _PROGRAMS:
            program = folder / "evil" / name
            program.write_text(f"#!/bin/sh\ntouch '{folder}/ran'\nexit 0\n")
            program.chmod(0o755)
        (folder / "outside").mkdir()
        (folder / "outside" / "secret").write_text(SECRET)
        return cls(folder)

    @property
    def evil(self) -> Path:
        return self.folder / "evil"

    @property
    def has_run(self) -> bool:
        return (self.folder / "ran").exists()

    def context(self) -> dict[str, bytes]:
        """Return all that lies where nobody has to write anything."""
        found = (path for name in ("evil", "outside") for path in (self.folder / name).rglob("*"))
        return {str(path): path.read_bytes() for path in found if path.is_file()}

    def came_out(self, *texts: str, below: Path) -> bool:
        """Whether the secret is in what was said, or in what was restored."""
        files = [path for path in below.rglob("*") if path.is_file() and not path.is_symlink()]
        return any(SECRET in text for text in texts) or any(
            SECRET.encode() in path.read_bytes() for path in files
        )

    def strings(self) -> list[str]:
        """Return what a text can be, so that a careless reader does what it says."""
        touch, secret = f"touch '{self.folder}/ran'", f"{self.folder}/outside/secret"
        return [
            *(
                str(self.evil),
                f"{self.evil}/restic",
                secret,
                "../../../outside/secret",
                f"file://{secret}",
            ),
            *(f"$({touch})", f"`{touch}`", f"x; {touch}", f"x\n{touch}\n", f"|{touch}"),
            *(f"--output={self.folder}/ran", f"-o{self.folder}/ran", "--help", "-", "@" + secret),
            f"x'; COPY (SELECT 1) TO PROGRAM 'touch {self.folder}/ran' --",
            f"x\"; COPY (SELECT 1) TO PROGRAM 'touch {self.folder}/ran' --",
            f"x` CHARACTER SET utf8; SELECT 1 INTO OUTFILE '{self.folder}/ran'; -- ",
            *("host=127.0.0.1 port=1 dbname=x", "postgresql://127.0.0.1:1/x", "connection:other/x"),
            *(
                "%(connection)s",
                "{connection}",
                "{{ conn.other.password }}",
                "",
                " ",
                "x" * 70_000,
                "\u202e\x7f",
            ),
        ]


@dataclass(frozen=True)
class Attack:
    """A name that tells what was done, and the manifest that came of it."""

    name: str
    plain: dict[str, Any]

    @property
    def data(self) -> bytes:
        text = json.dumps(self.plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return text.encode("utf-8", "surrogatepass") + b"\n"


def attacks(plain: dict[str, Any], canaries: Canaries, *, count: int, seed: int) -> list[Attack]:
    """Return the attacks that name a thing, and ``count`` more: another value for every field, in turn."""
    rng = random.Random(seed)
    named = list(_named(plain, canaries))
    fields = list(_fields(plain))
    values = canaries.strings()
    others: list[Attack] = []
    while len(others) < count:
        rng.shuffle(fields)
        others += [
            _changed(plain, path, rng.choice([*values, *_numbers(rng)]))
            for path in fields[: count - len(others)]
        ]
    return [*named, *others]


def _named(plain: dict[str, Any], canaries: Canaries) -> Iterator[Attack]:
    for engine in _ENGINES:
        if engine != plain["engine"]:
            yield Attack(f"engine {engine!r}", plain | {"engine": engine})
    evil = str(canaries.evil)
    more = {
        "tools": evil,
        "program": f"{evil}/restic",
        "connection": "other",
        "repository": f"{canaries.folder}/outside",
        "snapshot": "--help",
        "command": [f"{evil}/export"],
        "environment": {"BASH_ENV": f"{evil}/sh", "LD_PRELOAD": f"{evil}/sh"},
        "host": "127.0.0.1",
        "restore_command": f"{evil}/sh",
    }
    for key, value in more.items():
        yield Attack(f"state.{key}", plain | {"state": {**plain["state"], key: value}})
    yield Attack("state, everything", plain | {"state": {**plain["state"], **more}})
    yield Attack("tools", plain | {"tools": dict.fromkeys(plain["tools"] or ["pg_dump"], evil)})
    yield Attack("no state", plain | {"state": {}})
    yield Attack("schedule", plain | {"schedule_id": "other"})
    yield Attack("set", plain | {"set_id": "20200101T000000Z-0000000000"})
    pieces = copy.deepcopy(plain["pieces"])
    if pieces:
        pieces[0]["name"] = "../../../outside/secret"
        yield Attack("piece outside", plain | {"pieces": pieces})


def _fields(given: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(given, dict):
        for key, value in given.items():
            yield from _fields(value, (*path, key))
    elif isinstance(given, list):
        for index, value in enumerate(given[:2]):
            yield from _fields(value, (*path, index))
    elif path != ("signature", "value"):
        yield path


def _numbers(rng: random.Random) -> list[object]:
    return [rng.choice([-1, 0, 2**31, 2**63, 10**30, 1e308]), None, [], {}, True]


def _changed(plain: dict[str, Any], path: tuple[str | int, ...], value: object) -> Attack:
    made = copy.deepcopy(plain)
    place: Any = made
    for step in path[:-1]:
        place = place[step]
    if place[path[-1]] == value:
        value = "another"
    place[path[-1]] = value
    where = ".".join(map(str, path))
    return Attack(f"{where} = {str(value)[:40]!r}", made)
