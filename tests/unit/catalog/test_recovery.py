"""From a moment to the sets that restore it, or to the gap."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import SetRow, SetState
from airflow_backup.catalog.rules.recovery import (
    Gap,
    RecoveryChain,
    recovery_chain,
    spans,
    unrestorable,
)
from airflow_backup.catalog.tables import sets
from airflow_backup.core.words import Kind

LOG = Kind.ARCHIVE_LOG
NOW = datetime(2026, 5, 4, 2, tzinfo=UTC)


def row(
    name: int,
    parent: int | None = None,
    *,
    kind: Kind | None = None,
    state: SetState = "good",
    previous: int | None = None,
) -> SetRow:
    return SetRow(
        set_id=f"{name:04}",
        schedule_id="wiki",
        repository="file:///backups",
        run_id=f"run-{name}",
        engine="files",
        kind=kind or (Kind.FULL if parent is None else Kind.INCREMENTAL),
        parent=None if parent is None else f"{parent:04}",
        base=None if parent is None else "0000",
        run_at=at(name),
        started_at=at(name),
        consistent_at=at(name),
        finished_at=at(name),
        files=1,
        bytes_read=10,
        bytes_stored=5,
        counts={},
        warnings=[],
        manifest_hash="0" * 64,
        previous_set_id=None if previous is None else f"{previous:04}",
        previous_hash=None,
        state=state,
    )


def at(hour: float) -> datetime:
    return NOW + timedelta(hours=hour)


CHAIN = [row(0), row(1, 0), row(2, 1), row(3, 0, kind=Kind.DIFFERENTIAL), row(4, 3), row(5)]


def ids(found: RecoveryChain | Gap) -> list[str]:
    assert isinstance(found, RecoveryChain)
    return [each.set_id for each in found.sets]


@pytest.fixture
def catalog() -> Iterator[Catalog]:
    with Catalog.open("sqlite://") as catalog:
        yield catalog


def fill(catalog: Catalog, rows: list[SetRow]) -> None:
    columns = [column.name for column in sets.columns]
    with catalog._database.writing() as connection:
        connection.execute(
            sets.insert(),
            [{name: getattr(each, name) for name in columns} for each in rows],
        )


@pytest.mark.parametrize(
    ("hour", "expected"),
    [
        (0, ["0000"]),
        (0.5, ["0000"]),
        (2, ["0000", "0001", "0002"]),
        (3.9, ["0000", "0003"]),
        (4, ["0000", "0003", "0004"]),
        (99, ["0005"]),
    ],
)
def test_a_moment_is_restored_from_the_sets_up_to_it(hour: float, expected: list[str]) -> None:
    found = recovery_chain(CHAIN, at(hour))
    assert ids(found) == expected
    assert isinstance(found, RecoveryChain)
    assert found.skipped == ()
    assert found.bytes_stored == 5 * len(expected)


def test_before_the_first_set_is_a_gap_that_says_when_the_first_one_is() -> None:
    assert recovery_chain(CHAIN, at(-1)) == Gap(
        at(-1), ("there is no set of that moment or before",), at(0), is_empty=True
    )


def test_a_broken_chain_falls_back_to_an_earlier_moment_and_says_why() -> None:
    broken = [each for each in CHAIN if each.set_id != "0001"]
    found = recovery_chain(broken, at(2.5))
    assert ids(found) == ["0000"]
    assert isinstance(found, RecoveryChain)
    assert found.skipped == ("set '0002': '0001', which '0002' needs, is not there",)


def test_a_quarantined_set_is_not_used_nor_what_needs_it() -> None:
    spoiled = [CHAIN[0]._replace(state="quarantined"), *CHAIN[1:]]
    found = recovery_chain(spoiled, at(2))
    assert isinstance(found, Gap)
    assert found.reasons == (
        "set '0002': '0000' is quarantined",
        "set '0001': '0000' is quarantined",
        "set '0000': it is quarantined",
    )
    assert found.earliest == at(5)


def test_a_log_that_reaches_over_the_moment_is_appended() -> None:
    logs = [row(0), row(3, 0, kind=LOG), row(6, 3, kind=LOG)]
    assert ids(recovery_chain(logs, at(2))) == ["0000", "0003"]
    assert ids(recovery_chain(logs, at(4))) == ["0000", "0003", "0006"]
    found = recovery_chain(logs, at(4))
    assert isinstance(found, RecoveryChain)
    assert found.consistent_at == at(4)


def test_a_log_that_continues_another_one_than_the_last_is_not_appended() -> None:
    logs = [row(0), row(1, 0, kind=LOG), row(2, 1, kind=LOG), row(3, 1, kind=LOG)]
    found = recovery_chain(logs, at(3))
    assert ids(found) == ["0000", "0001", "0002"]
    assert isinstance(found, RecoveryChain)
    assert found.skipped == ("set '0003': it continues '0001' and not '0002'",)


def test_a_log_that_continues_a_later_one_is_not_appended() -> None:
    """A clock that went backwards: the order of the moments is not that of the logs."""
    logs = [row(0), row(2, 5, kind=LOG), row(5, 0, kind=LOG)]
    found = recovery_chain(logs, at(3))
    assert ids(found) == ["0000"]
    assert isinstance(found, RecoveryChain)
    assert found.skipped == ("set '0002': it continues '0005', which is later than '0000'",)


WITH_LOGS = [
    row(0),
    row(1, 0, kind=LOG, previous=0),
    row(2, 1, kind=LOG, previous=1),
    row(3, 0, previous=2),  # an incremental
    row(4, 3, kind=LOG, previous=3),
    row(5, previous=4),  # a full set
    row(6, 5, kind=LOG, previous=5),
]


@pytest.mark.parametrize(
    ("hour", "expected"),
    [
        (0, "0"),
        (0.5, "0 1"),
        (1, "0 1"),
        (1.5, "0 1 2"),
        (2.5, "0 1 2 4"),  # log 4 continues log 2, though set 3 was taken between
        (3, "0 3"),
        (3.5, "0 3 4"),
        (4.5, "0 3 4 6"),
        (5, "5"),
        (5.5, "5 6"),
        (9, "5 6"),
    ],
)
def test_a_moment_between_sets_is_restored_by_rolling_logs_over_the_newest_base(
    catalog: Catalog, hour: float, expected: str
) -> None:
    found = recovery_chain(WITH_LOGS, at(hour))
    assert ids(found) == [f"{int(each):04}" for each in expected.split()]
    assert isinstance(found, RecoveryChain)
    assert found.skipped == ()
    assert found.consistent_at == at(min(hour, 6))
    fill(catalog, WITH_LOGS)
    assert catalog.sets.recovery_chain("wiki", at(hour)) == found


BROKEN: dict[str, tuple[float, str, list[SetRow], str]] = {
    "a log is gone": (
        2.5,
        "0 1",
        [each for each in WITH_LOGS if each.set_id != "0002"],
        "set '0004': '0002', which came before it, is not there",
    ),
    "a log is quarantined": (
        2.5,
        "0",
        [
            each._replace(state="quarantined") if each.set_id == "0001" else each
            for each in WITH_LOGS
        ],
        "set '0001': it is quarantined",
    ),
    "the first log of all begins at the full set of its chain": (
        0.5,
        "0",
        [row(0), row(1, previous=0), row(2, 1, kind=LOG, previous=1)._replace(base="0001")],
        "set '0002': it begins only at '0001'",
    ),
}


@pytest.mark.parametrize(("hour", "expected", "rows", "reason"), BROKEN.values(), ids=BROKEN)
def test_logs_end_where_one_does_not_continue_the_other(
    catalog: Catalog, hour: float, expected: str, rows: list[SetRow], reason: str
) -> None:
    found = recovery_chain(rows, at(hour))
    assert ids(found) == [f"{int(each):04}" for each in expected.split()]
    assert isinstance(found, RecoveryChain)
    assert found.skipped == (reason,)
    fill(catalog, rows)
    assert catalog.sets.recovery_chain("wiki", at(hour)) == found


def test_the_first_log_reaches_back_to_the_full_set_of_its_chain() -> None:
    rows = [row(0), row(1, 0, previous=0), row(2, 1, kind=LOG, previous=1)]
    assert ids(recovery_chain(rows, at(0.5))) == ["0000", "0002"]


def test_a_bad_base_is_rolled_over_by_the_logs_of_an_earlier_one() -> None:
    rows = [
        each._replace(state="quarantined") if each.set_id == "0003" else each for each in WITH_LOGS
    ]
    found = recovery_chain(rows, at(4))
    assert ids(found) == ["0000", "0001", "0002", "0004"]
    assert isinstance(found, RecoveryChain)
    assert found.skipped == ("set '0003': it is quarantined",)


def test_a_chain_that_goes_in_a_circle_ends() -> None:
    circle = [row(1, 2), row(2, 1)]
    assert isinstance(recovery_chain(circle, at(3)), Gap)


@pytest.mark.parametrize("hour", [-1, 0, 1.5, 2, 3, 4, 5, 99])
def test_the_catalog_says_what_the_rule_says(catalog: Catalog, hour: float) -> None:
    for rows in (CHAIN, [each for each in CHAIN if each.set_id != "0001"]):
        with Catalog.open("sqlite://") as fresh:
            fill(fresh, rows)
            assert fresh.sets.recovery_chain("wiki", at(hour)) == recovery_chain(rows, at(hour))


def test_a_chain_is_given_from_the_full_set_on(catalog: Catalog) -> None:
    fill(catalog, CHAIN)
    assert [each.set_id for each in catalog.sets.chain("0004")] == ["0000", "0003", "0004"]
    assert catalog.sets.chain("gone") == []
    full = catalog.sets.latest_full("wiki")
    assert full is not None
    assert full.set_id == "0005"


def test_a_forged_circle_does_not_hold_up_the_catalog(catalog: Catalog) -> None:
    fill(catalog, [row(1, 2), row(2, 1)])
    assert isinstance(catalog.sets.recovery_chain("wiki", at(3)), Gap)


LOGS = [row(0), row(1, 0, kind=LOG), row(2, 1, kind=LOG), row(3), row(4, 2, kind=LOG)]


def test_of_a_whole_chain_every_set_can_be_restored() -> None:
    assert unrestorable([*CHAIN, *LOGS]) == {}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            [CHAIN[0], CHAIN[1]._replace(state="quarantined"), *CHAIN[2:]],
            {"0001": "it is quarantined", "0002": "'0001' is quarantined"},
        ),
        (
            [CHAIN[0], *CHAIN[2:]],
            {"0002": "'0001', which '0002' needs, is not there"},
        ),
        (
            [LOGS[0]._replace(state="quarantined"), *LOGS[1:3]],
            {
                "0000": "it is quarantined",
                "0001": "no set that can be restored leads to it",
                "0002": "no set that can be restored leads to it",
            },
        ),
        (
            [LOGS[0], LOGS[1]._replace(state="quarantined"), LOGS[2]],
            {
                "0001": "it is quarantined",
                "0002": "no set that can be restored leads to it",
            },
        ),
        (
            [LOGS[0], LOGS[1]._replace(state="quarantined"), *LOGS[2:]],
            {"0001": "it is quarantined", "0002": "no set that can be restored leads to it"},
        ),
        ([LOGS[0], LOGS[2]], {"0002": "'0001', which came before it, is not there"}),
        ([row(2, kind=LOG)], {"0002": "no set that can be restored leads to it"}),
    ],
)
def test_what_cannot_be_restored_says_why(rows: list[SetRow], expected: dict[str, str]) -> None:
    assert unrestorable(rows) == expected


def test_a_chain_of_thousands_costs_no_wait() -> None:
    chain = [row(0), *(row(number, number - 1) for number in range(1, 5000))]
    begun = time.monotonic()
    assert unrestorable(chain[:10] + chain[11:]).keys() == {each.set_id for each in chain[11:]}
    assert time.monotonic() - begun < 1


def test_archived_logs_reach_through_the_sets_that_were_taken_meanwhile() -> None:
    assert spans(LOGS) == [(at(0), at(4))]
    assert spans(CHAIN) == []


def test_a_log_that_is_missing_ends_a_span_and_the_next_full_set_begins_another() -> None:
    fresh = row(6, 5, kind=LOG)._replace(base="0005")
    assert spans([*(each for each in LOGS if each.set_id != "0002"), row(5), fresh]) == [
        (at(0), at(1)),
        (at(5), at(6)),
    ]


def test_a_full_set_that_is_damaged_begins_no_span() -> None:
    assert spans([LOGS[0]._replace(state="quarantined"), *LOGS[1:3]]) == []
