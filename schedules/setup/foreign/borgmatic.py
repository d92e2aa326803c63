"""Reads borgmatic's configuration: folders, databases, what is kept and what is left out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from airflow_backup.core.errors import ConfigError
from airflow_backup.schedules.setup.draft import Draft, Reading
from airflow_backup.schedules.setup.foreign import borg_patterns, yaml_files
from airflow_backup.schedules.setup.foreign.borgmatic_databases import ENGINES, UNKNOWN, database
from airflow_backup.schedules.setup.foreign.programs.folders import (
    folders,
    patterns_of_file,
    unread,
)
from airflow_backup.schedules.setup.foreign.shell.value import Value
from airflow_backup.schedules.setup.keeping import rules
from airflow_backup.schedules.setup.names import listed

_SECTIONS = ("location", "storage", "retention", "consistency", "output", "hooks")
_HANDLED = {
    *("source_directories", "repositories", "exclude_patterns", "exclude_from", "patterns"),
    *("constants", "encryption_passphrase", "encryption_passcommand"),
}
_QUIET = re.compile(
    r"compression|archive_name_format|match_archives|prefix|lock_wait|umask|files_cache|local_path|"
    r"remote_path|ssh_command|borg_.*|temporary_directory|checkpoint_interval|chunker_params|verbosity|"
    r"syslog_verbosity|log_.*|color|progress|statistics|list_details|user_.*|numeric_ids|atime|ctime|"
    r"birthtime|retries|retry_wait|relocated_repo.*|unknown_unencrypted.*|check_i_know.*|"
    r"extra_borg_options|store_config_files|working_directory|json|source_directories_must_exist|"
    r"skip_actions|default_actions|read_special"
)
_LISTS = ("source_directories", "exclude_patterns", "exclude_from", "patterns")
_HOOK = re.compile(r"(before|after)_.*|on_error|commands")
_MONITORING = {
    *("healthchecks", "ntfy", "pushover", "zabbix", "apprise", "uptime_kuma", "cronitor"),
    *("cronhub", "pagerduty", "loki", "sentry", "monitoring_verbosity"),
}
NOT_ADOPTED = "borg's repository is not adopted: sets begin anew at `repository`"
_ENCRYPTION = (
    "borg encrypts, and its passphrase was not copied; here sets are encrypted to public keys: "
    "write `encryption: {recipients: [age1...]}`"
)
_COUNTING = (
    "borg counts weeks from where the days end, and so on; here each rule counts from now, "
    "so a little less is kept"
)


def read(text: str, *, origin: str, folder: Path | None, home: str | None) -> Reading:
    """Read one configuration file; ConfigError where it is none."""
    data = yaml_files.read(text, origin=origin, folder=folder)
    if not isinstance(data, dict):
        raise ConfigError(f"{origin}: this is no configuration of borgmatic")
    options = _flat(data)
    constants = options.get("constants")
    options = _filled(options, constants if isinstance(constants, dict) else {}, home)
    retention, said = _retention(options)
    shared = [NOT_ADOPTED, *_encryption(options), *said]
    drafts, lost = _folders(options, origin, shared)
    problems = [f"{origin}: {each}" for each in lost]
    problems += [
        f"{origin}: {key} is no list, and was not carried over"
        for key in (*_LISTS, *ENGINES)
        if options.get(key) is not None and not isinstance(options[key], list)
    ]
    for key, engine in ENGINES.items():
        for each in _list(options, key):
            try:
                made = database(engine, each, f"{origin}, {key}")
            except ValueError as error:
                problems.append(f"{origin}, {key}: one entry was not carried over: {error}")
                continue
            drafts.append(replace(made, notes=(*shared, *made.notes)))
    drafts = [replace(each, retention=retention, job=f"borgmatic:{origin}") for each in drafts]
    return Reading(tuple(drafts), (*problems, *_notes(options, origin)))


def _flat(data: Mapping[str, Any]) -> dict[str, Any]:
    """Bring the sections of older releases to the top."""
    found = {str(key): value for key, value in data.items() if key not in _SECTIONS}
    for section in _SECTIONS:
        inner = data.get(section)
        if isinstance(inner, dict):
            found |= {str(key): value for key, value in inner.items()}
    return found


def _filled(value: Any, constants: Mapping[Any, Any], home: str | None) -> Any:
    """Fill in constants and the home folder; a variable of the environment that is not known stays as it is."""
    if isinstance(value, dict):
        return {key: _filled(each, constants, home) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, constants, home) for each in value]
    if not isinstance(value, str):
        return value
    for name, text in constants.items():
        value = (
            value.replace(f"{{{name}}}", str(text)) if not isinstance(text, (dict, list)) else value
        )
    if home:
        value = value.replace("${HOME}", home)
        value = home + value[1:] if value == "~" or value.startswith("~/") else value
    return re.sub(r"(?<!\\)\$\{\w+:-([^}]*)\}", r"\1", value)


def _list(options: Mapping[str, Any], key: str) -> list[Any]:
    found = options.get(key)
    return found if isinstance(found, list) else []


def _folders(
    options: Mapping[str, Any], origin: str, notes: Sequence[str]
) -> tuple[list[Draft], list[str]]:
    """Return schedules for folders, and where there are none, what is to be said of that."""
    roots = [str(each) for each in _list(options, "source_directories")]
    lines = [str(each) for each in _list(options, "patterns")]
    more, excluded = borg_patterns.of_patterns(lines)
    roots += more
    excluded += [borg_patterns.ours(str(each)) for each in _list(options, "exclude_patterns")]
    said = [*notes]
    if lines:
        said.append("`patterns` were written as `exclude`; look whether they leave out the same")
    for each in _list(options, "exclude_from"):
        found = patterns_of_file(Value(str(each)))
        if found is None:
            said.append(unread(Value(str(each))))
        excluded += [borg_patterns.ours(line) for line in found or ()]
    above = str(options.get("working_directory") or "")
    if above.startswith("/"):
        roots = [each if each.startswith("/") else f"{above.rstrip('/')}/{each}" for each in roots]
    right = [each for each in roots if each.startswith("/") and "${" not in each]
    if len(right) < len(roots):
        lost = len(roots) - len(right)
        said.append(
            f"sources that are no absolute path, or need a variable: {lost}; not carried over"
        )
    unread_patterns = sum(each is None for each in excluded)
    if unread_patterns:
        said.append(
            "regular expressions, and patterns of folders in which something is taken back: "
            f"{unread_patterns}; not carried over, so what they left out is stored"
        )
    kept = [each for each in excluded if each is not None]
    if not right:
        return [], said[len(notes) :]
    return folders(right, kept, f"{origin}, source_directories", notes=said), []


def _retention(options: Mapping[str, Any]) -> tuple[dict[str, Any] | None, list[str]]:
    given = [
        (key.removeprefix("keep_"), value)
        for key, value in options.items()
        if key.startswith("keep_") and value is not None
    ]
    found, left = rules(given)
    notes = [f"keep_{name} was not carried over" for name in left]
    if len(found) > 1:
        notes.append(_COUNTING)
    return found or None, notes


def _encryption(options: Mapping[str, Any]) -> list[str]:
    return (
        [_ENCRYPTION]
        if {"encryption_passphrase", "encryption_passcommand"} & options.keys()
        else []
    )


def _notes(options: Mapping[str, Any], origin: str) -> list[str]:
    """Name what belongs to no schedule, by its keys alone."""
    hooks = sorted(key for key in options if _HOOK.fullmatch(key))
    monitoring = sorted(key for key in options if key in _MONITORING)
    databases = [key for key in UNKNOWN if options.get(key)]
    checks = [key for key in ("checks", "check_last") if key in options]
    known = {*hooks, *monitoring, *databases, *checks, *ENGINES, *_HANDLED}
    left = sorted(
        key
        for key in options
        if key not in known and not key.startswith("keep_") and not _QUIET.fullmatch(key)
    )
    found = []
    if len(_list(options, "repositories")) > 1:
        found.append(
            "several repositories: a second schedule with another `repository` is the second copy"
        )
    if hooks:
        found.append(f"commands around backups were not carried over: {', '.join(hooks)}")
    if monitoring:
        found.append(
            f"whom to tell is written as `notify`; not carried over: {', '.join(monitoring)}"
        )
    if databases:
        found.append(
            f"there is no engine for {', '.join(databases)}; a program of your own can be one"
        )
    if checks:
        found.append("`verify` of a schedule does what `checks` do, after each backup")
    if left:
        found.append(f"options that were not carried over: {listed(left)}")
    return [f"{origin}: {each}" for each in found]
