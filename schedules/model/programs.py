"""The programs that a schedule names, and the variables that it sets for them: which of them an administrator allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from airflow_backup.core import allowed_commands
from airflow_backup.core.text.names import quoted
from airflow_backup.schedules.model.schedule import Schedule
from airflow_backup.schedules.model.sources import tools_of

_OPTION = "the option allowed_commands of [backup]"


class NotAllowed(NamedTuple):
    """What a schedule that was made on the page may not name: the key, and what to say of it."""

    key: str
    message: str
    hint: str


def not_allowed(schedule: Schedule, allowed: Sequence[str]) -> Iterator[NotAllowed]:
    """
    Yield each program and each variable that ``allowed`` (``[backup] allowed_commands``) has not.

    It is asked of schedules that were made on the page: a file is reviewed and deployed, what is typed is not.
    """
    source = schedule.source
    tools, program = tools_of(source), source.own_program
    known = allowed_commands.programs(allowed)
    if tools is not None and tools not in known:
        yield NotAllowed(
            "source.tools" if hasattr(source, "tools") else "source.program",
            f"{quoted(tools)} is not on the list of allowed commands",
            f"leave it out: PATH has the programs; or an administrator names it in {_OPTION}",
        )
    if program is None:
        return
    if program not in known:
        yield NotAllowed(
            "source.workflow",
            f"{quoted(program)} is not on the list of allowed commands",
            f"an administrator names it in {_OPTION}",
        )
    for name in sorted(set(source.own_variables) - allowed_commands.variables(allowed, program)):
        yield NotAllowed(
            "source.environment",
            f"the variable {quoted(name)} is not declared for {quoted(program)}",
            f"an administrator writes '{program} with {name}' in {_OPTION}",
        )
