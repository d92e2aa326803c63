"""The statements that make a database what another one was: its owner, rights, settings, locale."""

from __future__ import annotations

from airflow_backup.core.errors import EngineError
from airflow_backup.engines.postgres.client.quoting import literal, name
from airflow_backup.engines.postgres.properties.model import Grant, Properties

_LISTS = frozenset(
    (
        *("local_preload_libraries", "search_path", "session_preload_libraries"),
        *("shared_preload_libraries", "temp_tablespaces", "unix_socket_directories"),
    )
)
"""Settings whose values are lists of quoted names; quoted once more they would be one name."""


def create_statement(new: str, wanted: Properties, *, version: int, plain: bool = False) -> str:
    """
    Write the statement that makes an empty database like ``wanted`` on a server of ``version``.

    ``plain`` takes a locale that every server has.
    """
    parts = [f"CREATE DATABASE {name(new)} TEMPLATE template0 ENCODING {literal(wanted.encoding)}"]
    if plain:
        return f"{parts[0]} LC_COLLATE 'C' LC_CTYPE 'C'" + (
            " LOCALE_PROVIDER libc" if version >= 15 else ""
        )
    parts.append(f"LC_COLLATE {literal(wanted.collate)} LC_CTYPE {literal(wanted.ctype)}")
    if version >= 15:
        provider = {"c": "libc", "i": "icu", "b": "builtin"}[wanted.provider]
        parts.append(f"LOCALE_PROVIDER {provider}")
    if wanted.provider != "c" and wanted.locale is not None:
        key = "ICU_LOCALE" if wanted.provider == "i" else "BUILTIN_LOCALE"
        parts.append(f"{key} {literal(wanted.locale)}")
    if wanted.icu_rules is not None:
        parts.append(f"ICU_RULES {literal(wanted.icu_rules)}")
    if wanted.tablespace != "pg_default":
        parts.append(f"TABLESPACE {name(wanted.tablespace)}")
    return " ".join(parts)


def setting_clause(given: str) -> str:
    """
    Write a setting as ``SET`` takes it.

    >>> setting_clause('search_path="$user", public')
    '"search_path" TO \\'$user\\', \\'public\\''
    >>> setting_clause("work_mem=64MB")
    '"work_mem" TO \\'64MB\\''
    """
    key, _, value = given.partition("=")
    if key.lower() not in _LISTS:
        return f"{name(key)} TO {literal(value)}"
    items = items_of(value)
    return f"{name(key)} TO {', '.join(literal(item) for item in items) if items else literal('')}"


def items_of(text: str) -> list[str]:
    items, at = [], 0
    while at < len(text):
        if text[at] in ", ":
            at += 1
        elif text[at] == '"':
            end, item = at + 1, ""
            while end < len(text) and (text[end] != '"' or text[end : end + 2] == '""'):
                item += text[end]
                end += 2 if text[end] == '"' else 1
            items.append(item)
            at = end + 1
        else:
            end = at
            while end < len(text) and text[end] != ",":
                end += 1
            items.append(text[at:end].strip())
            at = end
    return items


def statements(database: str, has: Properties, wanted: Properties) -> list[str]:
    """Return what makes the database ``database``, which is as ``has`` says, one as ``wanted`` says."""
    target = f"DATABASE {name(database)}"
    made: list[str] = []
    if has.owner != wanted.owner:
        made.append(f"ALTER {target} OWNER TO {name(wanted.owner)}")
    if has.grants != wanted.grants or has.owner != wanted.owner:
        made += _granting(target, has, wanted)
    if has.comment != wanted.comment:
        text = "NULL" if wanted.comment is None else literal(wanted.comment)
        made.append(f"COMMENT ON {target} IS {text}")
    for each in has.settings:
        made.append(f"{_whose(target, each.role)} RESET ALL")
    for each in wanted.settings:
        made += [f"{_whose(target, each.role)} SET {setting_clause(one)}" for one in each.values]
    for provider, label in wanted.labels:
        made.append(f"SECURITY LABEL FOR {name(provider)} ON {target} IS {literal(label)}")
    if has.connection_limit != wanted.connection_limit:
        made.append(f"ALTER {target} CONNECTION LIMIT {wanted.connection_limit}")
    if has.is_template != wanted.is_template:
        made.append(f"ALTER {target} IS_TEMPLATE {'true' if wanted.is_template else 'false'}")
    return made


def _whose(target: str, role: str | None) -> str:
    return f"ALTER {target}" if role is None else f"ALTER ROLE {name(role)} IN {target}"


def _granting(target: str, has: Properties, wanted: Properties) -> list[str]:
    if wanted.grants is None and has.grants is None:
        return []
    granted = wanted.grants
    if granted is None:
        granted = all_by_default(wanted.owner)
    everybody = {grant.grantee for grant in has.grants or []} | {None, has.owner, wanted.owner}
    made = [
        f"REVOKE ALL ON {target} FROM {'PUBLIC' if each is None else name(each)} CASCADE"
        for each in sorted(everybody, key=str)
    ]
    return made + [_grant(target, each, wanted.owner) for each in in_order(granted, wanted.owner)]


def all_by_default(owner: str) -> list[Grant]:
    return [
        *_by_default(owner, None, "CONNECT", "TEMPORARY"),
        *_by_default(owner, owner, "CREATE", "CONNECT", "TEMPORARY"),
    ]


def _by_default(owner: str, grantee: str | None, *privileges: str) -> list[Grant]:
    return [
        Grant.model_validate(
            {"grantor": owner, "grantee": grantee, "privilege": each, "grantable": False}
        )
        for each in privileges
    ]


def in_order(grants: list[Grant], owner: str) -> list[Grant]:
    """Sort grants so that whoever grants a right on has it by then."""
    waiting, sorted_ = list(grants), list[Grant]()
    while waiting:
        may = {(owner, each) for each in ("CREATE", "CONNECT", "TEMPORARY")}
        may |= {(str(each.grantee), each.privilege) for each in sorted_ if each.grantable}
        ready = [each for each in waiting if (each.grantor, each.privilege) in may]
        if not ready:
            raise EngineError(f"nobody may give the right that '{waiting[0].grantor}' gave")
        sorted_ += ready
        waiting = [each for each in waiting if each not in ready]
    return sorted_


def _grant(target: str, grant: Grant, owner: str) -> str:
    to = "PUBLIC" if grant.grantee is None else name(grant.grantee)
    more = " WITH GRANT OPTION" if grant.grantable else ""
    text = f"GRANT {grant.privilege} ON {target} TO {to}{more}"
    if grant.grantor == owner:
        return text
    return f"SET LOCAL ROLE {name(grant.grantor)}; {text}; RESET ROLE"
