"""What a database that was loaded is not as it was."""

from __future__ import annotations

from airflow_backup.engines.postgres.properties.model import Properties
from airflow_backup.engines.postgres.properties.statements import all_by_default

_COMPARED = {
    "owner": "the owner",
    "encoding": "the encoding",
    "provider": "the locale provider",
    "collate": "the collation",
    "ctype": "the character classes",
    "locale": "the locale",
    "icu_rules": "the collation's rules",
    "tablespace": "the tablespace",
    "connection_limit": "the connection limit",
    "is_template": "being a template",
    "comment": "the comment",
    "labels": "the security labels",
    "lacks": "what it lacks of a new database",
}


def differences(has: Properties, wanted: Properties) -> list[str]:
    """
    Return what a database that was loaded is not as it was; of settings, which may be secrets, the names alone.

    >>> was = Properties(name="a", owner="ann", encoding="UTF8", collate="C", ctype="C", comment="x")
    >>> differences(was.model_copy(update={"name": "b", "owner": "bob"}), was)
    ["not as it was: the owner is 'bob', and was 'ann'"]
    """
    told = [
        f"{what} is {getattr(has, key)!r}, and was {getattr(wanted, key)!r}"
        for key, what in _COMPARED.items()
        if getattr(has, key) != getattr(wanted, key)
    ]
    if has.grants is not None or wanted.grants is not None:
        now, then = _rights(has), _rights(wanted)
        told += [f"{who} has got the right {right}" for who, right in sorted(now - then)]
        told += [f"{who} has lost the right {right}" for who, right in sorted(then - now)]
    for (role, key), _ in sorted(set(_set(has).items()) ^ set(_set(wanted).items())):
        told.append(f"the setting {key} {f'of {role!r} ' if role else ''}differs")
    return [f"not as it was: {each}" for each in dict.fromkeys(told)]


def _rights(properties: Properties) -> set[tuple[str, str]]:
    grants = properties.grants
    if grants is None:
        grants = all_by_default(properties.owner)
    return {
        (
            "PUBLIC" if each.grantee is None else f"'{each.grantee}'",
            f"{each.privilege}{' with grant option' if each.grantable else ''} from '{each.grantor}'",
        )
        for each in grants
    }


def _set(properties: Properties) -> dict[tuple[str, str], str]:
    return {
        (each.role or "", one.partition("=")[0].lower()): one.partition("=")[2]
        for each in properties.settings
        for one in each.values
    }
