"""Commands of restic: what ``backup`` saves, what ``forget`` keeps. Its repository is not adopted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_backup.schedules.setup.draft import Draft
from airflow_backup.schedules.setup.foreign.programs.folders import (
    excludes,
    folders,
    patterns_of_file,
    with_names,
    without_star,
)
from airflow_backup.schedules.setup.foreign.programs.notes import elsewhere, left_out
from airflow_backup.schedules.setup.foreign.shell.arguments import Arguments, grammar, read
from airflow_backup.schedules.setup.foreign.shell.follow import Command
from airflow_backup.schedules.setup.keeping import rules

_KEPT = (
    "last hourly daily weekly monthly yearly within tag within-hourly within-daily within-weekly "
)
_RESTIC = grammar(
    "repo repository-file password-file password-command option cacert tls-client-cert cache-dir "
    "key-hint limit-download limit-upload pack-size compression retry-lock exclude exclude-file iexclude "
    "iexclude-file exclude-if-present exclude-larger-than files-from files-from-raw files-from-verbatim "
    "tag host parent stdin-filename time read-concurrency group-by path max-unused read-data-subset "
    "http-user-agent stuck-request-timeout from-repo "
    + " ".join(f"keep-{each}" for each in f"{_KEPT}within-monthly within-yearly".split()),
    "r=repo p=password-file o=option e=exclude H=host x=one-file-system g=group-by q=quiet v=verbose "
    "f=force n=dry-run l=keep-last d=keep-daily w=keep-weekly m=keep-monthly y=keep-yearly",
)
_IGNORED = (
    "repo repository-file password-file password-command option cacert tls-client-cert cache-dir "
    "key-hint pack-size retry-lock exclude exclude-file files-from files-from-verbatim tag host parent "
    "read-concurrency quiet verbose force json cleanup-cache no-cache insecure-no-password insecure-tls "
    "with-atime group-by compression ignore-inode ignore-ctime no-scan skip-if-unchanged time prune"
)
NOT_ADOPTED = (
    "restic's repository is not adopted: sets begin anew at `repository`. To go on with restic's "
    "own, write `engine: restic`"
)
ENCRYPTION = (
    "restic encrypts, and its password was not copied; here sets are encrypted to public keys: "
    "write `encryption: {recipients: [age1...]}`"
)


def backup(command: Command, origin: str) -> list[Draft]:
    """Read ``restic backup``."""
    given = read(command.arguments, _RESTIC)
    given.operands.pop(0)
    excluded, notes = excludes(given, "exclude", "exclude-file")
    roots = _roots(given, notes)
    for root in roots:
        excluded += with_names(excluded, root, root)
    notes += left_out(given, _IGNORED, "restic")
    notes += elsewhere(command, "the worker must have the folder")
    return folders(roots, excluded, origin, notes=(NOT_ADOPTED, ENCRYPTION, *notes))


def _roots(given: Arguments, notes: list[str]) -> list[str]:
    if given.has("stdin", "stdin-from-command"):
        raise ValueError("restic saves what another program writes")
    roots = []
    for each in given.operands:
        path = each.text.removesuffix("/.")
        if not each.is_known or not path.startswith("/"):
            raise ValueError("what it saves cannot be told: a path is relative, or made by a shell")
        if not each.has_glob:
            without_star(path)
        roots.append(path.rstrip("/") or "/")
    for each in given.all("files-from", "files-from-verbatim"):
        lines = patterns_of_file(each)
        if lines is None or not all(line.startswith("/") for line in lines):
            raise ValueError("the list of what it saves was not read")
        roots += lines
    if not roots:
        raise ValueError("what it saves cannot be told")
    return roots


def forget(command: Command) -> tuple[dict[str, Any], list[str]]:
    """Read ``restic forget``: what is kept, and what of it has no place in a retention."""
    given = read(command.arguments, _RESTIC)
    found, left = rules(
        (name.removeprefix("keep-"), value.text)
        for name, value in given.options
        if name.startswith("keep-") and value is not None and value.is_known
    )
    notes = [f"--keep-{name} was not carried over" for name in left]
    unknown = [
        name
        for name, value in given.options
        if name.startswith("keep-") and value is not None and not value.is_known
    ]
    notes += [f"--{name} is made by a shell, and was not carried over" for name in unknown]
    if given.has("tag", "path", "host"):
        notes.append("`restic forget` was for some snapshots only (--tag, --path, --host)")
    return found, notes


def verb(command: Command) -> str:
    """
    Return what restic is told to do.

    >>> from airflow_backup.schedules.setup.foreign.shell.value import Value
    >>> words = [Value(each) for each in ("-r", "/repo", "--verbose", "backup", "/home")]
    >>> verb(Command(1, "restic", "restic", tuple(words), {}))
    'backup'
    """
    operands = read(command.arguments, _RESTIC).operands
    return operands[0].text if operands else ""


OTHERS: Mapping[str, str] = {
    "check": "`verify` of a schedule does what `restic check` does, after each backup",
    "prune": "`retention` of a schedule does what `restic prune` does",
    "copy": "`restic copy` has no counterpart: write a second schedule with another repository",
}
