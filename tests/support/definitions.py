"""Schedules by chance, with every key that the model has: odd values, and all of them valid."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import ValidationError

from airflow_backup.schedules.model.schedule import Schedule

Data = dict[str, Any]

AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
SIGNING_KEY = "ed25519:" + "A" * 43 + "="
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WORDS = (
    "Orders, of the shop",
    '"quoted", and more',
    "null",
    "~",
    "yes",
    "0123",
    "1e5",
    "22:00",
    "# no comment",
    "- item",
    "{a: b}",
    "[x",
    "a: b",
    "trailing ",
    " leading",
    "two\nlines",
    "tab\there",
    "Grüße, 世界 🚀",
    "line\u2028separator\u0085next",
    "\ufeffmark",
    "no\u00a0break",
    "back\\slash",
    "$${twice}",
    "$ {no variable}",
    "%directive",
    "&anchor",
    "*alias",
    "!tag",
    "@at",
    "`tick`",
    "'single'",
    "?",
    "a #b",
    "=",
    "<<",
    "... ",
    "---",
    "x" * 300,
)
PATTERNS = (
    "*,v",
    "*.tmp",
    "cache/",
    "!keep.tmp",
    "a b",
    '"q"',
    "[a-c]*.o",
    "**/old/*.sql",
    "ü*",
    "x,y,z",
    " lead",
    "\\#x",
)
PATHS = (
    "/srv/wiki",
    "/srv/a,b",
    '/srv/"q"',
    "/srv/ü 世",
    "/srv/two\nlines",
    "/srv/end ",
    "/",
    "/srv/#x: y",
    "/srv/${HOME}",
)
DURATIONS = (
    "30s",
    "5m",
    "4h",
    "1h30m",
    "14d",
    "90m",
    "1w",
    "1d2h3m4s",
    "86400s",
    " 2H ",
    "120s",
    "0001m",
)
SIZES = ("500MB", "2GiB", 123_456, "1.5GB", 2**60, 9_007_199_254_740_993, "7")
CRONS = (
    "0 2 * * *",
    "*/15 8-17 * * mon-fri",
    "0 2 1,15 * *",
    "0 2 L * *",
    "0 2 * * mon#1",
    "0 2 * * L5",
    "30 0 2 * * sun",
    "0 22-3/2 * jan-mar,dec *",
    "0 2 */3 * mon",
    "0  2  * * 7",
    "5/10 * * * *",
    "0 2 ? * 5-7",
)
ZONES = (
    "UTC",
    "Europe/Berlin",
    "Asia/Kathmandu",
    "America/New_York",
    "Australia/Lord_Howe",
    "Etc/GMT+12",
    "Pacific/Apia",
)


class Chance:
    """A random number generator that makes the parts of a schedule."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # a seed, no secret
        self.one = self.random.choice

    def maybe(self, share: float = 0.5) -> bool:
        return self.random.random() < share

    def some(self, values: tuple[Any, ...], most: int = 4) -> list[Any]:
        return self.random.sample(values, self.random.randint(0, min(most, len(values))))

    def count(self, most: int = 400) -> int:
        return self.random.randint(1, most)

    def name(self) -> str:
        return self.one(string.ascii_lowercase) + "".join(
            self.one(string.ascii_lowercase + string.digits + "_-")
            for _ in range(self.random.randint(0, 12))
        )

    def keys(self, likely: float = 0.5, /, **makers: Callable[[], Any]) -> Data:
        """Make some of the keys, in any order."""
        names = [name for name in makers if self.maybe(likely)]
        self.random.shuffle(names)
        return {name.rstrip("_"): makers[name]() for name in names}


def window(chance: Chance) -> Data:
    """Return a window: a preset or times, some with a name or a zone of their own."""
    kept = chance.keys(0.3, name=lambda: chance.one(WORDS), timezone=lambda: chance.one(ZONES))
    if chance.maybe(0.25):
        return {"preset": chance.one(("business_hours", "off_hours"))} | kept
    times = chance.keys(
        0.6,
        days=lambda: chance.one(
            (["mon-fri"], ["sat", "sun"], ["fri-mon"], [*WEEK], ["wed"], "mon-wed", ["Sunday"])
        ),
        from_=lambda: chance.one(("00:00", "22:00", "9:30", "23:59")),
        to=lambda: chance.one(("24:00", "06:00", "00:00", "17:30", "22:00")),
    )
    return (times or {"to": "24:00"}) | kept


def windows(chance: Chance, key: str = "window") -> list[Data]:
    """Return none, one or several windows."""
    return [window(chance) for _ in range(chance.one((0, 1, 1, 1, 2)))]


def source(chance: Chance) -> Data:
    """Return the options of an engine."""
    engine = chance.one(tuple(SOURCES))
    return {"engine": engine} | SOURCES[engine](chance)


def _folders(chance: Chance) -> Data:
    if chance.maybe():
        return {"path": chance.one(PATHS)}
    return {"paths": chance.some(PATHS) or [chance.one(PATHS)]}


def _files(chance: Chance) -> Data:
    more = chance.keys(
        0.3,
        include=lambda: chance.some(PATTERNS),
        exclude=lambda: chance.some(PATTERNS),
        compare=lambda: chance.one(("metadata", "content")),
        on_unreadable=lambda: chance.one(("fail", "warn")),
        allow_empty=lambda: chance.maybe(),
    )
    return _folders(chance) | more


def _server(chance: Chance) -> Data:
    more = chance.keys(
        0.4,
        database=lambda: chance.one(("orders", "Größe, 1", "null", "0x1")),
        tools=lambda: chance.one(PATHS),
    )
    return {"connection": chance.one(("orders_db", "my, db", "2nd"))} | more


def _mysql(chance: Chance) -> Data:
    return _server(chance) | chance.keys(0.4, method=lambda: chance.one(("logical", "physical")))


def _firebird(chance: Chance) -> Data:
    file = {"database": "/srv/größe, 1.fdb"} if chance.maybe() else {}
    return _mysql(chance) | {"connection": "orders_db"} | file


def _postgres(chance: Chance) -> Data:
    wal = chance.one(
        (
            {},
            {"wal": "slot"},
            {"wal": "slot", "slot": "kept_1"},
            {"wal": "archive", "archive": "/srv/wal"},
        )
    )
    form = chance.one(
        (
            {},
            {"format": "directory"},
            {"format": "directory", "jobs": 4},
            {"format": "custom", "jobs": 1},
        )
    )
    method = chance.one(({"method": "physical"} | wal, {"method": "logical"} | form, form))
    return _server(chance) | method


def _restic(chance: Chance) -> Data:
    more = chance.keys(
        0.4,
        exclude=lambda: chance.some(PATTERNS),
        init=lambda: chance.maybe(),
        on_unreadable=lambda: chance.one(("fail", "warn")),
        program=lambda: "/usr/bin/restic",
    )
    place = chance.one(("/srv/restic", "s3:s3.example.org/b", "sftp:me@vault:/srv, 2"))
    return _folders(chance) | {"restic_repository": place, "connection": "restic_pw"} | more


def _sqlite(chance: Chance) -> Data:
    return chance.one(({"path": chance.one(PATHS)}, {"connection": "orders, lite"}))


def _airflow(chance: Chance) -> Data:
    return chance.keys(
        0.5,
        connection=lambda: "airflow_db",
        home=lambda: chance.one(PATHS),
        exclude=lambda: chance.some(PATTERNS),
        tools=lambda: "/usr/bin",
    )


def _command(chance: Chance) -> Data:
    numbers = (1.0, 1, 0.1, 1e300, -0.0, 12_345_678_901_234_567_890, "1", "1.0", True, 2.5)
    parameters = {
        "plain": "--plain",
        "ratio": {"flag": "--ratio=", "type": "number"},
        "many": {"flag": "-n", "many": True},
        "choice": {"flag": "-c", "choices": [1, 1.5, "1", True]},
        "null": "--null",
    }
    values = {
        "plain": chance.one(WORDS),
        "ratio": chance.one((1.0, 2.5, 3, 1e300)),
        "many": chance.some(("a", "1", "x,y")),
    }
    more = chance.keys(
        0.4,
        arguments=lambda: {name: values[name] for name in values if chance.maybe()},
        environment=lambda: {"LANG": chance.one(WORDS), "N": "0", "Y": "yes"},
        secrets=lambda: {"PW": "a_connection"},
        timeout=lambda: chance.one(DURATIONS),
        output=lambda: chance.some(("/srv/out", "/srv/a, b")),
        success_codes=lambda: chance.one(([0], [0, 3], [7])),
        folder=lambda: "/srv",
    )
    command = ["/opt/dump", *map(str, chance.some(numbers)), *chance.some(WORDS)]
    return {
        "workflow": {
            "command": command,
            "parameters": parameters if more.get("arguments") or chance.maybe() else {},
        }
    } | more


SOURCES: dict[str, Callable[[Chance], Data]] = {
    "airflow": _airflow,
    "command": _command,
    "files": _files,
    "firebird": _firebird,
    "mysql": _mysql,
    "postgres": _postgres,
    "restic": _restic,
    "sqlite": _sqlite,
}


def when(chance: Chance) -> Data:
    """Return one answer to when."""
    level = chance.keys(0.6, full=lambda: chance.one(CRONS), incremental=lambda: chance.one(CRONS))
    kinds = ("full", "full", "full", "incremental", "differential", "archive_log")
    kind = {"kind": chance.one(kinds)} if chance.maybe(0.2) else {}
    return chance.one(
        (
            {"cron": chance.one(CRONS)} | kind,
            {"every": chance.one(DURATIONS)} | kind,
            {"preset": chance.one(("hourly", "daily", "weekly", "monthly", "weekend_3x"))} | kind,
            {"levels": level or {"full": chance.one(CRONS)}},
            {
                "levels": {
                    "full": chance.one(CRONS),
                    "differential": "0 3 * * *",
                    "archive_log": "*/5 * * * *",
                }
            },
            {"after": [chance.name() for _ in range(chance.count(3))]},
        )
    )


def _throttle(chance: Chance) -> Data:
    rates = ("20MB", 5_000_000, "unlimited", 9_007_199_254_740_993)
    times = [window(chance) | {"upload": chance.one(rates)} for _ in range(chance.one((0, 1, 2)))]
    return chance.keys(
        upload=lambda: chance.one(rates),
        read=lambda: chance.one(rates),
        times=lambda: times,
        nice=lambda: chance.random.randint(0, 19),
        io_class=lambda: chance.one(("low", "idle")),
    )


def _retry(chance: Chance) -> Data:
    return chance.keys(
        0.4,
        max_retries=lambda: chance.random.randint(0, 20),
        delay=lambda: chance.one(("1s", "30s", "1m")),
        max_delay=lambda: chance.one(("2m", "1h")),
        network_delay=lambda: "90s",
        network_max_delay=lambda: chance.one(("5m", "600s")),
        exponential=lambda: chance.maybe(),
        jitter=lambda: chance.one((0, 0.0, 1, 1.0, 0.5, 0.1)),
        classes=lambda: {
            "space": {"max_retries": 0, "delay": "10m"},
            "locked": {"max_delay": "1h"},
        },
    )


def _retention(chance: Chance) -> Data:
    names = ("last", "hourly", "daily", "weekly", "monthly", "yearly", "min_chains")
    numbers: dict[str, Callable[[], Any]] = dict.fromkeys(names, chance.count)
    return chance.keys(
        0.3,
        **numbers,
        within=lambda: chance.one(DURATIONS),
        max_age=lambda: chance.one(DURATIONS),
        max_bytes=lambda: chance.one(SIZES),
        lock=lambda: chance.one(DURATIONS),
    )


def _verify(chance: Chance) -> Data:
    return chance.keys(
        0.4,
        level=lambda: chance.one(("none", "quick", "standard", "full")),
        every=lambda: chance.count(9),
        restore_test=lambda: chance.one(("never", "daily", "weekly", "monthly")),
        share=lambda: chance.count(50),
        assertions=lambda: chance.some(WORDS),
        scratch=lambda: chance.one(PATHS),
    )


def _calendars(chance: Chance) -> list[Data]:
    days = {"dates": ["2026-12-24..2026-12-27", "2027-01-01"]}
    return chance.some(
        (
            {"name": "freeze"} | days,
            days,
            {"country": "DE", "subdivision": "BE"},
            {"country": "FR", "name": "a, b"},
        )
    )


def _notify(chance: Chance) -> list[Data]:
    slack = {
        "notifier": "slack",
        "options": {"channel": "#ops, 2", "on": True, "n": 3, "yes": ["a", "b,c"], "x: y": "1"},
    }
    to = chance.some(
        (
            {"email": ["ops@example.org"], "name": "ops"},
            {"webhook": "hook"},
            slack,
            {"apprise": "ntfy", "name": "null"},
        )
    )
    more = chance.keys(
        0.4,
        events=lambda: chance.one(("failed", ["failed", "stale"], ["completed"])),
        quiet=lambda: windows(chance),
        digest=lambda: chance.one(("daily", "weekly")),
        digest_at=lambda: chance.one(("07:00", "9:15", "24:00")),
    )
    return [{"to": to} | more] if to else []


def definition(chance: Chance) -> Data:
    """Return what somebody may have written; nearly always valid."""
    more = chance.keys(
        chance.one((0.1, 0.3, 0.6)),
        description=lambda: chance.one(WORDS),
        group=lambda: chance.name(),
        tags=lambda: [tag[:90] for tag in chance.some(WORDS)],
        connection=lambda: chance.one(("aws_backup", "with, comma", "007")),
        timezone=lambda: chance.one(ZONES),
        jitter=lambda: chance.one(DURATIONS),
        window=lambda: windows(chance),
        outside_window=lambda: chance.one(("wait", "skip")),
        finish_in_window=lambda: chance.one(("finish", "stop")),
        skip_on=lambda: _calendars(chance),
        missed=lambda: chance.one(("skip", "run_once")),
        missed_grace=lambda: chance.one(DURATIONS),
        priority=lambda: chance.random.randint(0, 255),
        host=lambda: chance.one(("any", "db-1.example.org")),
        queue=lambda: chance.one(("nas", "1")),
        executor=lambda: "CeleryExecutor",
        pool=lambda: chance.one(("slow, pool", "null")),
        executor_config=lambda: chance.name(),
        max_duration=lambda: chance.one(DURATIONS),
        max_pause=lambda: chance.one(DURATIONS),
        limits=lambda: chance.keys(
            repository=lambda: chance.count(9), host=lambda: chance.count(9)
        ),
        throttle=lambda: _throttle(chance),
        retry=lambda: _retry(chance),
        retention=lambda: _retention(chance),
        verify=lambda: _verify(chance),
        compression=lambda: chance.one(("none", {"level": 9}, {"level": 3}, {})),
        encryption=lambda: {"recipients": [AGE], "key_file": "/srv/key"},
        signing=lambda: {"public_keys": [SIGNING_KEY], "unsigned_before": "2026-11-01"},
        checksum=lambda: chance.one(("sha256", "blake3")),
        alert_after=lambda: chance.one(DURATIONS),
        objectives=lambda: {"rto": chance.one(DURATIONS)},
        notify=lambda: _notify(chance),
        disable_after_failures=lambda: chance.count(9),
        enabled=lambda: chance.maybe(),
    )
    places = ("file:///var/backups", "s3://bucket/a b", "sftp://me@vault/srv/ü,x", "gs://b/#1")
    whole = (
        {"id": chance.name(), "source": source(chance), "repository": chance.one(places)}
        | when(chance)
        | more
    )
    keys = list(whole)
    chance.random.shuffle(keys)
    return {key: whole[key] for key in keys}


def definitions(count: int, *, seed: int) -> Iterator[tuple[Data, Schedule]]:
    """Make so many valid definitions, each as it was written and as it is understood."""
    chance = Chance(seed)
    made = tried = 0
    while made < count:
        tried += 1
        assert tried < count * 4, "most of what is made must be valid"
        written = definition(chance)
        try:
            schedule = Schedule.model_validate(written)
        except ValidationError:
            continue
        made += 1
        yield written, schedule
