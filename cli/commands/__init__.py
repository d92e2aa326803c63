"""One module per command; each has `add_to(commands)`."""

from __future__ import annotations

from airflow_backup.cli.commands import list_, next_, run, show, status, validate

COMMANDS = (validate, next_, list_, show, run, status)
