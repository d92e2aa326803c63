"""Messages as HTML that mail programs show, light or dark: tables, styles in place, no pictures from anywhere. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from airflow_backup.actions.alerts.notify.content import Content
from airflow_backup.actions.alerts.notify.digest import DIGEST
from airflow_backup.core.words import EventKind

_FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_MONO = "font-family:ui-monospace,Menlo,Consolas,monospace;font-size:13px"
_RED, _ORANGE, _GREEN, _GREY = "#b42318", "#b54708", "#067647", "#475467"
_BY_LEVEL = (_GREY, _ORANGE, _ORANGE, _RED, _RED, _RED)
_LABEL = (
    f"width:120px;padding:6px 16px 6px 0;color:{_GREY};vertical-align:top;overflow-wrap:anywhere"
)
_CELL = "padding:6px 0;vertical-align:top"


def html_of(contents: Sequence[Content], *, title: str) -> str:
    """Return the whole page."""
    parts = [_digest(each) if each["event"] == DIGEST else _one(each) for each in contents]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title></head>"
        f'<body style="margin:0;padding:24px 12px;background:#f2f4f7;color:#101828;{_FONT};font-size:15px;'
        'line-height:1.45">'
        f"{''.join(parts)}"
        f'<p style="max-width:640px;margin:12px auto;color:{_GREY};font-size:12px">'
        "airflow-backup tells you because a schedule names you below <code>notify</code>.</p></body></html>"
    )


def _card(color: str, inside: str) -> str:
    return (
        '<table role="presentation" width="100%" cellspacing="0" cellpadding="0" '
        'style="max-width:640px;margin:0 auto 16px;background:#ffffff;border:1px solid #e4e7ec;'
        f'border-top:4px solid {color};border-radius:6px"><tr><td style="padding:20px 24px">{inside}</td></tr></table>'
    )


def _one(content: Content) -> str:
    color = _GREEN if content["event"] == EventKind.RECOVERED else _BY_LEVEL[content["level"]]
    rows = [
        _row("What", escape(str(content["what"]))),
        _row("Since", escape(str(content["since"]))),
    ]
    if content.get("means"):
        rows.append(_row("What it means", escape(str(content["means"]))))
    if content["do"]:
        steps = "".join(_step(str(step)) for step in content["do"])
        rows.append(_row("What to do", steps))
    for name, value in content["facts"]:
        rows.append(
            _row(escape(name.capitalize()), f'<span style="{_MONO}">{escape(str(value))}</span>')
        )
    about = content.get("description")
    described = (
        f'<p style="margin:0 0 12px;color:{_GREY}">{escape(str(about))}</p>' if about else ""
    )
    return _card(color, f"{_heading(content, color)}{described}{_table(rows)}{_button(content)}")


def _heading(content: Content, color: str) -> str:
    name, _, words = str(content["title"]).partition(": ")
    return (
        f'<h1 style="margin:0 0 4px;font-size:20px;line-height:1.3">{escape(name)}</h1>'
        f'<p style="margin:0 0 12px;font-size:16px;font-weight:600;color:{color}">{escape(words)}</p>'
    )


def _digest(content: Content) -> str:
    color = _RED if content["level"] else _GREEN
    since = f" since {escape(str(content['since']))}" if content.get("since") else ""
    head = f'<p style="margin:0 0 12px">Runs{since}: {escape(str(content["what"]))}.</p>'
    bad = [row for row in content["rows"] if row["attention"]]
    well = [row for row in content["rows"] if not row["attention"]]
    tables = ""
    if bad:
        tables += _listing("Needs a person", [_bad(row) for row in bad])
    if well:
        tables += _listing("Well", [_well(row) for row in well])
    return _card(color, f"{_heading(content, color)}{head}{tables}{_button(content)}")


def _listing(heading: str, rows: list[str]) -> str:
    return f'<h2 style="margin:16px 0 4px;font-size:15px">{heading}</h2>{_table(rows)}'


def _bad(row: dict[str, Any]) -> str:
    state = f'<strong style="color:{_RED}">{escape(str(row["state"]))}</strong>'
    return _row(_named(row), f"{state}<br>{escape(str(row['reason']))}")


def _well(row: dict[str, Any]) -> str:
    age = "nothing stored yet" if row["age"] is None else f"{row['age']} old, limit {row['limit']}"
    return _row(
        _named(row),
        f'<span style="color:{_GREEN}">{escape(str(row["state"]))}</span> · {escape(age)}',
    )


def _named(row: dict[str, Any]) -> str:
    return f'<span style="color:#101828;{_MONO}">{escape(str(row["schedule"]))}</span>'


def _step(step: str) -> str:
    if step.startswith(("airflow-backup ", "airflow ")):
        return (
            f'<div style="margin:0 0 6px;padding:6px 8px;background:#f2f4f7;border-radius:4px;{_MONO};'
            f'overflow-wrap:anywhere">{escape(step)}</div>'
        )
    return f'<div style="margin:0 0 6px">{escape(step)}</div>'


def _row(label: str, value: str) -> str:
    return f'<tr><td style="{_LABEL}">{label}</td><td style="{_CELL};overflow-wrap:anywhere">{value}</td></tr>'


def _table(rows: list[str]) -> str:
    return f'<table role="presentation" cellspacing="0" cellpadding="0" width="100%">{"".join(rows)}</table>'


def _button(content: Content) -> str:
    if not content.get("link"):
        return ""
    return (
        f'<p style="margin:16px 0 0"><a href="{escape(str(content["link"]))}" style="display:inline-block;'
        'padding:9px 16px;background:#0b63c5;color:#ffffff;text-decoration:none;border-radius:4px;font-weight:600">'
        "Open on the Backups page</a></p>"
    )
