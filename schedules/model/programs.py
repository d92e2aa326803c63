"""
The programs that a schedule names, and the variables that it sets for them: which of them an administrator allows.
"""

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


_HARMLESS = {
    "slack": frozenset({"channel", "text", "username", "icon_url"}),
    "slack_webhook": frozenset({"text", "unfurl_links", "unfurl_media"}),
    "smtp": frozenset({"to", "cc", "bcc", "from_email", "subject", "html_content"}),
    "discord": frozenset({"text", "username", "avatar_url", "tts"}),
    "pagerduty": frozenset(
        {"summary", "severity", "source", "dedup_key", "component", "group", "class_type"}
    ),
    "sns": frozenset({"target_arn", "message", "subject", "region_name"}),
}
"""What notifiers take that reads no file, goes by no proxy and names no other connection."""


def notifiers_not_allowed(schedule: Schedule, allowed: Sequence[str]) -> Iterator[NotAllowed]:
    """
    Yield each notifier, and each of its options, that a schedule which is made on the page may not name.

    A notifier's class takes what its provider made it for: files that it attaches, a template that it reads.
    """
    known = allowed_commands.programs(allowed)
    receivers = [receiver for notice in schedule.notify for receiver in notice.to]
    for receiver in receivers:
        notifier = receiver.notifier
        if notifier is None or notifier in known:
            continue
        if notifier not in _HARMLESS:
            yield NotAllowed(
                "notify",
                f"the notifier {quoted(notifier)} is not on the list of allowed commands",
                f"there are {', '.join(_HARMLESS)}; or an administrator names it in {_OPTION}",
            )
            continue
        for name in sorted(receiver.options.keys() - _HARMLESS[notifier]):
            yield NotAllowed(
                "notify",
                f"the option {quoted(name)} of {notifier} is not for schedules that are made here",
                f"there are {', '.join(sorted(_HARMLESS[notifier]))}; "
                f"an administrator may name {notifier} in {_OPTION}",
            )


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
