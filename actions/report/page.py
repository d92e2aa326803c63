"""A report as one page that can be printed: no script, nothing from elsewhere, black on white."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html import escape

from airflow_backup.actions.report.report import ScheduleReport
from airflow_backup.core.text.durations import format_duration, format_size
from airflow_backup.core.words import ProtectionState

_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 80rem; padding: 2rem; color: #1b1f24; background: #fff;
  font: 14px/1.45 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.5rem; margin: 0; }
.when { color: #57606a; margin: .25rem 0 1.25rem; }
.sentence { font-size: 1.15rem; margin: 0 0 1.25rem; padding: .75rem 1rem; border-left: 4px solid #2da44e;
  background: #f3faf5; }
.sentence.bad { border-color: #cf222e; background: #fdf3f3; }
.sentence.open { border-color: #bf8700; background: #fdf9ee; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: #57606a; font-size: .8rem; padding: 0 .6rem .4rem 0;
  border-bottom: 2px solid #d0d7de; vertical-align: bottom; }
td { padding: .55rem .6rem .55rem 0; border-bottom: 1px solid #d8dee4; vertical-align: top; }
time { white-space: nowrap; }
th:nth-last-child(-n+2) { text-align: right; padding-right: 0; }
td:last-child { padding-right: 0; }
tr { break-inside: avoid; }
td small { display: block; overflow-wrap: anywhere; color: #57606a; font-size: .8rem; }
.word { display: inline-block; padding: 0 .5rem; border-radius: 1rem; border: 1px solid; font-size: .8rem;
  font-weight: 600; white-space: nowrap; }
.proven { color: #116329; border-color: #2da44e; }
.unproven { color: #7d4e00; border-color: #bf8700; }
.risk { color: #a40e26; border-color: #cf222e; }
.number { text-align: right; white-space: nowrap; padding-left: .6rem; }
footer { margin-top: 1.5rem; color: #57606a; font-size: .8rem; }
@page { size: A4 landscape; margin: 14mm; }
@media print { body { padding: 0; max-width: none; font-size: 10pt; } thead { display: table-header-group; }
  .sentence { background: none; } }
"""
_CLASSES = {ProtectionState.GOOD: "proven", ProtectionState.NEVER: "unproven"}
_RISK = "risk"


def page(reports: Sequence[ScheduleReport], *, now: datetime) -> str:
    """Return a report as one HTML page that needs nothing else."""
    rows = "\n".join(_row(each) for each in reports)
    heads = (
        "Schedule",
        "Protection",
        "Last good set",
        "Last verified",
        "Last restore test",
        "Restorable from, to",
        "Sets",
        "Stored",
    )
    cells = "".join(f"<th scope='col'>{escape(head)}</th>" for head in heads)
    kind, sentence = _sentence(reports)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Backups: what is proven</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>
<h1>Backups: what is proven</h1>
<p class="when">{_moment(now)} UTC</p>
<p class="sentence {kind}">{escape(sentence)}</p>
<table><thead><tr>{cells}</tr></thead><tbody>
{rows}
</tbody></table>
<footer>All times are UTC. A set is <em>verified</em> when what the level reads is as it was written; a
<em>restore test</em> brings it back into a temporary place and compares. Made by airflow-backup from its catalog.
</footer>
</body></html>
"""


def sentence_of(reports: Sequence[ScheduleReport]) -> str:
    """Return what it comes to, in one sentence."""
    return _sentence(reports)[1]


def _sentence(reports: Sequence[ScheduleReport]) -> tuple[str, str]:
    if not reports:
        return "open", "There is no schedule."
    bad = [each.schedule_id for each in reports if each.protection is not ProtectionState.GOOD]
    unproven = [each.schedule_id for each in reports if not each.is_proven]
    count = len(reports)
    if bad:
        are = "is" if len(bad) == 1 else "are"
        return (
            "bad",
            f"{len(bad)} of {count} schedules {are} not protected: {_named(bad)}.",
        )
    if unproven:
        return "open", (
            f"All {count} schedules have a good set; of {len(unproven)} it was not verified: "
            f"{_named(unproven)}."
        )
    return "", f"All {count} schedules have a good set, and each of them was verified."


def _named(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[:5])
    return f"{shown} and {len(ids) - 5} more" if len(ids) > 5 else shown


def _row(each: ScheduleReport) -> str:
    test = "-"
    if each.last_restore_test_at is not None:
        took = (
            ""
            if each.last_restore_seconds is None
            else f", took {_span(each.last_restore_seconds)}"
        )
        test = f"{_moment(each.last_restore_test_at)}<small>{each.last_restore_test_outcome}{took}</small>"
    verified = "-"
    if each.last_verified_at is not None:
        verified = f"{_moment(each.last_verified_at)}<small>{each.last_verified_level}</small>"
    failure = (
        ""
        if each.last_failure is None
        else f"<small class='risk'>{escape(each.last_failure)}</small>"
    )
    quarantined = f"<small>{each.quarantined} quarantined</small>" if each.quarantined else ""
    return (
        f"<tr><td><strong>{escape(each.schedule_id)}</strong><small>{escape(each.engine or '')}</small></td>"
        f"<td><span class='word {_CLASSES.get(each.protection, _RISK)}'>{_word(each)}</span>"
        f"<small>{escape(each.why)}</small>{failure}</td>"
        f"<td>{_moment(each.last_good_at)}<small>{escape(each.last_good_set or '')}</small></td>"
        f"<td>{verified}</td><td>{test}</td>"
        f"<td>{_moment(each.oldest_recoverable)}{_until(each)}</td>"
        f"<td class='number'>{each.sets}<small>{each.chains} chains</small>{quarantined}</td>"
        f"<td class='number'>{format_size(each.bytes_stored)}</td></tr>"
    )


def _word(each: ScheduleReport) -> str:
    return each.protection.replace("_", " ")


def _until(each: ScheduleReport) -> str:
    newest = each.newest_recoverable
    return "" if newest is None else f"<small>to {_moment(newest)}</small>"


def _moment(at: datetime | None) -> str:
    return "-" if at is None else f"<time>{at.astimezone(UTC):%Y-%m-%d %H:%M}</time>"


def _span(seconds: float) -> str:
    return f"{seconds:.1f}s" if seconds < 60 else format_duration(timedelta(seconds=seconds))
