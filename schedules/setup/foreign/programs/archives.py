"""Commands that copy folders: ``tar`` and ``rsync``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from airflow_backup.schedules.setup.draft import Draft
from airflow_backup.schedules.setup.foreign.programs.folders import (
    excludes,
    folders,
    with_names,
    without_star,
)
from airflow_backup.schedules.setup.foreign.programs.notes import elsewhere, left_out
from airflow_backup.schedules.setup.foreign.shell.arguments import Arguments, bundled, grammar, read
from airflow_backup.schedules.setup.foreign.shell.follow import Command
from airflow_backup.schedules.setup.foreign.shell.value import Value
from airflow_backup.schedules.setup.names import of_path
from airflow_backup.schedules.setup.patterns import escaped

_MUST = "the worker must have the folder"
_TAR = grammar(
    "file directory exclude exclude-from files-from listed-incremental use-compress-program "
    "transform strip-components newer mode owner group blocking-factor exclude-tag checkpoint-action "
    "level label record-size format",
    "f=file C=directory X=exclude-from T=files-from g=listed-incremental I=use-compress-program "
    "N=newer b=blocking-factor V=label H=format",
)
_TAR_IGNORED = (
    "file directory exclude exclude-from create c gzip z bzip2 j xz J zstd a auto-compress verbose v "
    "preserve-permissions p P absolute-names use-compress-program acls xattrs selinux numeric-owner "
    "warning ignore-failed-read sparse S checkpoint totals label"
)
_RSYNC = grammar(
    "exclude exclude-from include include-from files-from filter rsh rsync-path bwlimit link-dest "
    "backup-dir log-file password-file partial-dir temp-dir timeout port suffix chmod chown max-size "
    "min-size compare-dest copy-dest info debug out-format contimeout usermap groupmap compress-level",
    "e=rsh f=filter T=temp-dir B=block-size",
)
_RSYNC_IGNORED = (
    "exclude exclude-from archive a v verbose z compress delete delete-after delete-excluded "
    "delete-during delete-before h human-readable P partial progress stats quiet q r recursive l links "
    "p perms t times g group o owner D devices specials H hard-links A acls X xattrs S sparse "
    "numeric-ids log-file rsh rsync-path info out-format i itemize-changes inplace W whole-file "
    "timeout force link-dest backup b backup-dir password-file R relative ignore-errors u update "
    "compress-level"
)


def tar(command: Command, origin: str) -> list[Draft]:
    """Read ``tar -c``; ValueError for all else."""
    given = read(bundled(command.arguments, _TAR), _TAR)
    if not given.has("c", "create"):
        raise ValueError("it makes no archive")
    if given.has("files-from"):
        raise ValueError("the list of what it saves was not read")
    roots = _roots(given.operands, _folders(given))
    excluded, notes = excludes(given, "exclude", "exclude-from")
    if any(not each.text.startswith("/") for each in given.operands):
        excluded, lost = _by_relative_names(excluded)
        notes += lost
    for each, root in zip(given.operands, roots, strict=True):
        excluded += with_names(excluded, root, each.text.removeprefix("./"))
    notes += [*left_out(given, _TAR_IGNORED, "tar"), *elsewhere(command, _MUST)]
    files = [each.text for each in given.all("file")]
    made = folders(roots, excluded, origin, notes=notes)
    return [replace(each, target=files[-1] if files else "") for each in made]


def _by_relative_names(patterns: Sequence[str]) -> tuple[list[str], list[str]]:
    """Leave out absolute patterns, which match nothing where tar stores relative names."""
    kept = [each for each in patterns if not each.startswith("/")]
    lost = len(patterns) - len(kept)
    note = f"absolute patterns that left nothing out there, because its names are relative: {lost}"
    return kept, [note] if lost else []


def rsync(command: Command, origin: str) -> list[Draft]:
    """Read ``rsync SOURCE ... TARGET``; ValueError where it does not save what is here."""
    given = read(command.arguments, _RSYNC)
    if len(given.operands) < 2:
        raise ValueError("it has no source and target")
    if given.has("files-from"):
        raise ValueError("the list of what it saves was not read")
    if given.has("include", "include-from", "filter"):
        # What is left out means something else with them: `*` after them is not everything.
        raise ValueError("it takes some of the files only (--include, --filter)")
    *sources, target = given.operands
    if any(re.match(r"[^/]*:", each.text) for each in sources):
        raise ValueError("it fetches from another machine; write the schedule for a worker there")
    roots = _roots(sources)
    excluded, notes = excludes(given, "exclude", "exclude-from")
    if any(each == "!" or each.startswith("+ ") for each in excluded):
        raise ValueError("it takes some of the files back (`+` or `!` among what is left out)")
    excluded = [each.removeprefix("- ") for each in excluded]
    for each, root in zip(sources, roots, strict=True):
        own = "" if each.text.endswith("/") else of_path(root)
        excluded += with_names(excluded, root, own)
    excluded = [_from_source(each, sources, roots) for each in excluded]
    notes += [*left_out(given, _RSYNC_IGNORED, "rsync"), *elsewhere(command, _MUST)]
    made = folders(roots, excluded, origin, notes=notes)
    return [replace(each, target=f"{target.text.rstrip('/')}/") for each in made]


def _from_source(pattern: str, sources: Sequence[Value], roots: Sequence[str]) -> str:
    """Write rsync's pattern, in which a slash at the beginning is where the source begins, as a path."""
    if not pattern.startswith("/") or len(roots) != 1:
        return pattern
    inside = pattern[1:]
    # Without a slash at its end the source's own name is the first part.
    if not sources[0].text.endswith("/"):
        first, _, inside = inside.partition("/")
        if first != of_path(roots[0]) or not inside:
            return pattern
    return f"{escaped(roots[0].rstrip('/'))}/{inside}"


def _folders(given: Arguments) -> list[str]:
    """
    Return where tar is for each operand: the last `-C` before it counts, as GNU tar has it; "" where nobody knows.
    """
    found = []
    for count in given.before:
        folder = ""
        for name, value in given.options[:count]:
            if name == "directory" and value is not None:
                is_below = bool(folder) and not value.text.startswith("/")
                text = f"{folder.rstrip('/')}/{value.text}" if is_below else value.text
                folder = text if value.is_known and text.startswith("/") else ""
        found.append(folder)
    return found


def _roots(given: Iterable[Value], folders: Sequence[str] = ()) -> list[str]:
    """
    Return absolute sources; ValueError where one cannot be told, because then it would be missing.

    ``folders`` are where relative ones begin.
    """
    found = []
    for position, each in enumerate(given):
        folder = folders[position] if position < len(folders) else ""
        path = each.text if each.has_glob else without_star(each.text)
        if not path.startswith("/") and folder:
            path = folder.rstrip("/") + "/" + path.removeprefix("./")
        if not each.is_known or not path.startswith("/"):
            raise ValueError("what it saves cannot be told: a path is relative, or made by a shell")
        found.append(path.removesuffix("/.").rstrip("/") or "/")
    if not found:
        raise ValueError("what it saves cannot be told")
    return found
