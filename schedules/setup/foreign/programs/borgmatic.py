"""A command of borgmatic, as a line of a crontab has it."""

from __future__ import annotations

import re

from airflow_backup.schedules.setup.foreign.shell.follow import Command
from airflow_backup.schedules.setup.names import of_path

_MAKES = {"create", "--create", "-C"}
_DOES_ELSE = {
    *("prune", "compact", "check", "extract", "list", "info", "mount", "umount", "restore", "borg"),
    *(
        "repo-list",
        "repo-info",
        "rlist",
        "rinfo",
        "break-lock",
        "key",
        "config",
        "transfer",
        "delete",
    ),
    *(
        "repo-create",
        "rcreate",
        "init",
        "export-tar",
        "repo-delete",
        "recreate",
        "diff",
        "import-key",
    ),
    *("--prune", "-p", "--check", "-k", "--list", "--info", "--init", "--extract"),
}


def job_of(command: Command) -> str | None:
    """
    Return which configuration a command backs up by, all of them without a name; None for its other actions.

    >>> from airflow_backup.schedules.setup.foreign.shell.value import Value
    >>> words = [Value(each) for each in ("-c", "/etc/borgmatic/a.yaml", "create")]
    >>> job_of(Command(1, "borgmatic", "borgmatic", tuple(words), {}))
    'borgmatic:a.yaml'
    """
    words = [each.text for each in command.arguments]
    if _DOES_ELSE.intersection(words) and not _MAKES.intersection(words):
        return None
    found = re.search(r"(?:^| )(?:-c|--config)[= ](\S+\.ya?ml)(?: |$)", " ".join(words))
    return f"borgmatic:{of_path(found[1])}" if found else "borgmatic:"
