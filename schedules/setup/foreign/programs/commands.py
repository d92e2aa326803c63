"""Commands of a script or a crontab, as schedules; what is none is named, and never silently left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_backup.core.text.durations import parse_duration
from airflow_backup.schedules.setup.draft import Draft
from airflow_backup.schedules.setup.foreign.programs import (
    archives,
    mysql,
    postgres,
    restic,
    sqlite,
)
from airflow_backup.schedules.setup.foreign.programs.cleanup import Cleanup, cleanup_of
from airflow_backup.schedules.setup.foreign.shell.follow import Command
from airflow_backup.schedules.setup.names import of_path

_READERS: Mapping[str, Callable[[Command, str], list[Draft]]] = {
    **dict.fromkeys(postgres.PROGRAMS, postgres.read_command),
    **dict.fromkeys(mysql.PROGRAMS, mysql.read_command),
    "sqlite3": sqlite.read_command,
    "tar": archives.tar,
    "rsync": archives.rsync,
}
_TARGETS: Mapping[str, Callable[[Command], str | None]] = {
    **dict.fromkeys(postgres.PROGRAMS, postgres.target),
    **dict.fromkeys(mysql.PROGRAMS, mysql.target),
}
_MESSAGE = (
    "whom to tell is written as `notify`, and a sign of life as `airflow-backup monitor --ping`"
)
_CIPHER = "encryption is written as `encryption: {recipients: [age1...]}`"
_STORAGE = "where sets lie is written as `repository`"
_AROUND = "what must stop or be mounted around a backup has no counterpart here"
_NO_ENGINE = "there is no engine for it; a program of your own can be one"
_OTHERS: Mapping[str, str] = {
    **dict.fromkeys(("curl", "wget", "mail", "mailx", "sendmail", "msmtp", "mutt"), _MESSAGE),
    **dict.fromkeys(("gpg", "gpg2", "openssl", "age", "ccrypt"), _CIPHER),
    **dict.fromkeys(
        ("scp", "sftp", "rclone", "aws", "gsutil", "az", "s3cmd", "mc", "lftp"), _STORAGE
    ),
    **dict.fromkeys(
        ("mount", "umount", "systemctl", "service", "docker", "docker-compose"), _AROUND
    ),
    **dict.fromkeys(("zfs", "btrfs", "lvcreate", "lvremove", "podman", "kubectl"), _AROUND),
    **dict.fromkeys(
        ("mongodump", "redis-cli", "slapcat", "influx", "etcdctl", "mydumper"), _NO_ENGINE
    ),
    **dict.fromkeys(("borg", "duplicity", "rdiff-backup", "rsnapshot", "duply"), _NO_ENGINE),
    **dict.fromkeys(
        ("pg_probackup", "wal-g", "barman", "mysqlpump", "mysqlsh", "mysqlhotcopy"), _NO_ENGINE
    ),
    **dict.fromkeys(
        ("innobackupex", "clickhouse-backup", "vzdump", "proxmox-backup-client"), _NO_ENGINE
    ),
    **dict.fromkeys(
        ("kopia", "tarsnap", "bup", "duplicacy", "dar", "xfsdump", "resticprofile", "autorestic"),
        _NO_ENGINE,
    ),
    **dict.fromkeys(
        ("virsh", "dump", "partclone", "bsdtar", "gtar", "7z", "7za", "ar"), _NO_ENGINE
    ),
    **dict.fromkeys(("gbak", "nbackup"), "write `engine: firebird` with a connection"),
    **dict.fromkeys(("find", "tmpwatch", "logrotate"), "how long is written as `retention`"),
    **dict.fromkeys(("cp", "dd", "zip", "cpio", "git", "psql", "mysql"), "it was not looked into"),
}
_SPEAKERS = {
    *("echo", "printf", "logger", "which", "type", "hash", "command", "[", "[[", "test", "grep"),
    *(
        "pgrep",
        "pkill",
        "killall",
        "trap",
        "apt",
        "apt-get",
        "dnf",
        "yum",
        "apk",
        "zypper",
        "export",
    ),
}
"""Programs that say the names of others, and start none."""
_SAVES = "|".join(
    re.escape(each)
    for each in (*_READERS, "restic", *(name for name in _OTHERS if _OTHERS[name] == _NO_ENGINE))
)
_HIDDEN = re.compile(rf"(?:^|[;&|(]\s*|^\S*/s?bin/)({_SAVES})(?=$|[\s;&|)])")


@dataclass
class Found:
    """What the commands of one file came to."""

    drafts: list[Draft] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)
    """What ``restic forget`` keeps, which counts for all backups of restic in the file."""
    kept_notes: list[str] = field(default_factory=list)
    cleanups: list[Cleanup] = field(default_factory=list)

    def keep(self, rules: dict[str, Any]) -> None:
        """Take what one `restic forget` keeps; of several, each rule that keeps more."""
        if self.kept and rules and rules != self.kept:
            self.kept_notes.append(
                "`restic forget` is there several times; of its rules those that keep more"
            )
        for name, value in rules.items():
            before = self.kept.get(name)
            how_much = parse_duration if name == "within" else int
            self.kept[name] = value if before is None else max(before, value, key=how_much)

    def finished(self) -> list[Draft]:
        """Return the schedules, with what is kept of each."""
        return [self._with_retention(each) for each in self.drafts]

    def _with_retention(self, draft: Draft) -> Draft:
        if restic.NOT_ADOPTED in draft.notes:
            notes = (*draft.notes, *self.kept_notes)
            return replace(draft, retention=self.kept or None, notes=notes)
        days = [each.days for each in self.cleanups if each.removes(draft.target)]
        return replace(draft, retention={"within": f"{max(days) + 1}d"}) if days else draft


def collect(commands: Iterable[Command], found: Found, *, origin: str, says_all: bool) -> bool:
    """
    Add what commands come to; return whether one of them was a backup, or belongs to one.

    ``says_all`` names programs that are not known, too: in a crontab each line is a job, in a script most are not.
    """
    seen = False
    for command in commands:
        place = f"{origin}, line {command.line}"
        try:
            known = _take(command, found, place)
        except ValueError as error:
            found.notes.append(f"{place}: {command.program} was not carried over: {error}")
            known = True
        if not known and command.program in _OTHERS:
            found.notes.append(
                f"{place}: {command.program} was not carried over: {_OTHERS[command.program]}"
            )
            known = says_all
        elif not known and (told := _not_looked_into(command, says_all=says_all)):
            found.notes.append(f"{place}: {told}")
            known = True
        seen = seen or known
    return seen


def _not_looked_into(command: Command, *, says_all: bool) -> str | None:
    """Say what of a command may be a backup all the same; None where nothing is."""
    if not command.program:
        return "a program was not looked into: only a shell can tell its name"
    for each in command.arguments if command.program not in _SPEAKERS else ():
        hidden = _HIDDEN.search(each.text)
        if hidden is not None:
            return f"{hidden[1]} is started there in a way that is not known here; not carried over"
    if says_all:  # a crontab says of each line what it starts
        return None
    if command.program in ("borgmatic", "pgbackrest"):
        return f"it starts {command.program}: --from its configuration, too"
    name = script_of(command)
    return None if name is None else f"it starts {name}, which was not looked into: --from it, too"


def script_of(command: Command) -> str | None:
    """Return the name of a script that a command starts, by a shell or by its path; None for none."""
    if command.program in ("sh", "bash", "dash", "ksh", "zsh"):
        files = [each.text for each in command.arguments if not each.text.startswith(("-", "+"))]
        return shown_name(of_path(files[0])) if files else None
    is_script = command.path.endswith((".sh", ".bash")) or "backup" in command.program
    return shown_name(command.program) if is_script and "/" in command.path else None


def shown_name(name: str) -> str:
    """Return the name of a script; what may be anything else, such as a line that is malformed, is not shown."""
    return name if re.fullmatch(r"[\w.+@-]{1,100}", name) else "a script that cannot be told"


def is_known_program(name: str) -> bool:
    """Whether it is known what a program is, so that it is nobody's own script."""
    return name in _READERS or name in _OTHERS or name == "restic"


def _take(command: Command, found: Found, place: str) -> bool:
    if command.program == "restic":
        return _restic(command, found, place)
    if command.program == "find":
        return _find(command, found, place)
    if command.program in (".", "source"):
        found.notes.append(f"{place}: another file is read there, and was not looked into")
        return False
    reader = _READERS.get(command.program)
    if reader is None:
        return False
    found.drafts += [_with_target(each, command) for each in reader(command, place)]
    return True


def _with_target(draft: Draft, command: Command) -> Draft:
    """Say where the copies of the other tool lie, and that nothing reads them."""
    written = [each.text for each in command.outputs if not each.text.startswith("/dev/")]
    by_option = _TARGETS[command.program](command) if command.program in _TARGETS else None
    target = by_option or draft.target
    target = target or (written[-1] if written else "")
    if not target or target == "-":
        return draft
    place = (
        "on another machine"
        if re.match(r"[^/]*:", target)
        else f"in {target.rpartition('/')[0] or '/'}"
    )
    note = f"its old copies {place} stay, and are not adopted"
    return replace(draft, target=target, notes=(*draft.notes, note))


def _restic(command: Command, found: Found, place: str) -> bool:
    verb = restic.verb(command)
    if verb == "backup":
        found.drafts += restic.backup(command, place)
    elif verb == "forget":
        kept, notes = restic.forget(command)
        found.keep(kept)
        found.kept_notes += notes
    elif verb in restic.OTHERS:
        found.notes.append(f"{place}: {restic.OTHERS[verb]}")
    return True


def _find(command: Command, found: Found, place: str) -> bool:
    """Read ``find FOLDER -mtime +14 -delete`` as how long copies are kept."""
    words = [each.text for each in command.arguments]
    if "-delete" not in words and "rm" not in words:
        return False
    cleanup = cleanup_of(words)
    if cleanup is None:
        found.notes.append(f"{place}: find removes files; how long is written as `retention`")
        return True
    found.cleanups.append(cleanup)
    found.notes.append(
        f"{place}: find removes {cleanup.name} in {cleanup.folder} after {cleanup.days} days; "
        "sets of what was written there have that as `retention`"
    )
    return True


def name_of_script(path: str) -> str:
    """
    Return the name by which a line of a crontab and the script know each other.

    >>> name_of_script("/usr/local/bin/backup.sh")
    'script:backup.sh'
    """
    return f"script:{of_path(path)}"
