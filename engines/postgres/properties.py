"""
What a PostgreSQL database is besides its contents, and who may use it: owner, rights, settings, locale.

`pg_restore` puts none of it back unless it makes the database itself, under its old name. So a set
has it as data (``database.json``), and a load makes the same database under the name that is asked for.
The names of all roles are there too: a restore test makes them before it restores what they own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from airflow_backup.core.errors import EngineError, FormatError, VerifyError
from airflow_backup.engines.protocol import SetReader

if TYPE_CHECKING:
    import psycopg

PROPERTIES = "database.json"
LARGE_OBJECTS = "as a superuser: ALTER ROLE ... SET lo_compat_privileges = on;"
_LISTS = frozenset(
    (
        *("local_preload_libraries", "search_path", "session_preload_libraries"),
        *("shared_preload_libraries", "temp_tablespaces", "unix_socket_directories"),
    )
)
"""Settings whose values are lists of quoted names; quoted once more they would be one name."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Grant(_Model):
    """One right on the database; without a grantee it is everybody's."""

    grantor: str
    grantee: str | None
    privilege: Literal["CREATE", "CONNECT", "TEMPORARY"]
    grantable: bool


class Settings(_Model):
    """What ``ALTER DATABASE ... SET`` or ``ALTER ROLE ... IN DATABASE ... SET`` has set."""

    role: str | None
    values: list[str]


class Role(_Model):
    """A role of the server, without what would let it in."""

    name: str
    superuser: bool
    inherits: bool
    bypasses_rls: bool
    member_of: list[str]


class Properties(_Model):
    """A database, as `pg_database` and its neighbours describe it."""

    format: Literal[1] = 1
    name: str
    owner: str
    encoding: str
    provider: Literal["c", "i", "b"] = "c"
    collate: str
    ctype: str
    locale: str | None = None
    """Of the providers ICU and builtin."""

    icu_rules: str | None = None
    tablespace: str = "pg_default"
    connection_limit: Annotated[int, Field(ge=-2)] = -1
    is_template: bool = False
    grants: list[Grant] | None = None
    """None: as they are by default."""

    comment: str | None = None
    settings: list[Settings] = []
    labels: list[tuple[str, str]] = []
    """Security labels: the provider's name, and the label."""

    lacks: list[Literal["public", "plpgsql"]] = []
    """What every new database has, and this one has not."""

    tablespaces: list[str] = []
    """Those that its tables and indexes lie in, besides its own."""

    roles: list[Role] = []

    def to_bytes(self) -> bytes:
        """Write it down; bytes that are no text stay what they were."""
        return json.dumps(self.model_dump(), indent=1).encode("ascii")

    @property
    def fixed(self) -> tuple[str | None, ...]:
        """What a database is made with and can never change."""
        names = (self.encoding, self.provider, self.collate, self.ctype)
        return (*names, self.locale, self.icu_rules)


_DATABASE = """
    SELECT datname::text AS name, pg_get_userbyid(datdba)::text AS owner, pg_encoding_to_char(encoding)::text AS encoding,
           datcollate::text AS collate, datctype::text AS ctype, datconnlimit AS connection_limit,
           datistemplate AS is_template, t.spcname::text AS tablespace,
           shobj_description(d.oid, 'pg_database') AS comment, datacl IS NULL AS no_grants, {more}
    FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE datname = current_database()
"""
_GRANTS = """
    SELECT pg_get_userbyid(a.grantor)::text, CASE a.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(a.grantee)::text END,
           a.privilege_type::text, a.is_grantable
    FROM pg_database, aclexplode(datacl) WITH ORDINALITY AS a (grantor, grantee, privilege_type, is_grantable, place)
    WHERE datname = current_database() ORDER BY a.place
"""
_SETTINGS = """
    SELECT CASE setrole WHEN 0 THEN NULL ELSE pg_get_userbyid(setrole)::text END, setconfig
    FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase
    WHERE datname = current_database() ORDER BY setrole
"""
_LABELS = """
    SELECT provider, label FROM pg_shseclabel JOIN pg_database d ON d.oid = objoid
    WHERE classoid = 'pg_database'::regclass AND datname = current_database() ORDER BY provider
"""
_LACKS = """
    SELECT 'public' WHERE NOT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'public')
    UNION ALL SELECT 'plpgsql' WHERE NOT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'plpgsql')
"""
_TABLESPACES = """
    SELECT DISTINCT spcname::text FROM pg_class c JOIN pg_tablespace t ON t.oid = c.reltablespace
    WHERE spcname !~ '^pg_' ORDER BY 1
"""
_ROLES = """
    SELECT r.rolname::text, r.rolsuper, r.rolinherit, r.rolbypassrls,
           ARRAY(SELECT b.rolname::text FROM pg_auth_members m JOIN pg_roles b ON b.oid = m.roleid
                 WHERE m.member = r.oid ORDER BY 1)
    FROM pg_roles r WHERE r.rolname !~ '^pg_' ORDER BY 1
"""


def read_properties(session: psycopg.Connection[Any]) -> Properties:
    """Ask the catalog of the session's database."""
    more = _locale_columns(session.info.server_version // 10000)
    cursor = session.execute(_DATABASE.replace("{more}", more).encode())
    found = _row(cursor)
    no_grants = found.pop("no_grants")

    def all_of(query: str) -> list[Any]:
        return [_texts(row) for row in session.execute(query.encode()).fetchall()]

    names = ("grantor", "grantee", "privilege", "grantable")
    grants = [dict(zip(names, row, strict=True)) for row in all_of(_GRANTS)]
    attributes = ("name", "superuser", "inherits", "bypasses_rls", "member_of")
    return Properties.model_validate(
        {
            **found,
            "grants": None if no_grants else grants,
            "settings": [{"role": role, "values": values} for role, values in all_of(_SETTINGS)],
            "labels": all_of(_LABELS),
            "lacks": [name for (name,) in all_of(_LACKS)],
            "tablespaces": [name for (name,) in all_of(_TABLESPACES)],
            "roles": [dict(zip(attributes, row, strict=True)) for row in all_of(_ROLES)],
        }
    )


def _locale_columns(version: int) -> str:
    provider = "datlocprovider::text AS provider" if version >= 15 else "'c' AS provider"
    locale = "datlocale" if version >= 17 else "daticulocale" if version >= 15 else "NULL"
    rules = "daticurules" if version >= 16 else "NULL"
    return f"{provider}, {locale}::text AS locale, {rules}::text AS icu_rules"


def _row(cursor: psycopg.Cursor[Any]) -> dict[str, Any]:
    row = cursor.fetchone()
    assert row is not None
    names = [column.name for column in cursor.description or ()]
    return dict(zip(names, _texts(row), strict=True))


def _texts(row: Any) -> list[Any]:
    return [_text(value) for value in row]


def _text(value: Any) -> Any:
    """Read names of a database whose encoding converts to no other as the bytes that they are."""
    if isinstance(value, list):
        return [_text(each) for each in value]
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def properties_in(reader: SetReader) -> Properties | None:
    """Return what a set says about its database; None of a set that was taken before sets did."""
    if PROPERTIES not in reader.manifest.streams:
        return None
    try:
        # Not by pydantic's own parser: bytes that are no text are written as halves of pairs.
        found = json.loads(b"".join(reader.blocks(PROPERTIES)))
        if isinstance(found, dict) and found.get("format") != 1:
            raise FormatError(
                f"'{PROPERTIES}' of set '{reader.manifest.set_id}' has a format that this release does not know",
                hint="install the release that wrote it, or a newer one",
            )
        return Properties.model_validate(found)
    except ValueError as error:
        raise VerifyError(
            f"'{PROPERTIES}' of set '{reader.manifest.set_id}' does not describe a database"
        ) from error


def name(text: str) -> str:
    """
    Quote a name.

    >>> name('a"b')
    '"a""b"'
    """
    return '"' + _whole(text).replace('"', '""') + '"'


def literal(text: str) -> str:
    """
    Quote a text.

    >>> literal("it's"), literal("a\\\\b")
    ("'it''s'", " E'a\\\\\\\\b'")
    """
    quoted = _whole(text).replace("'", "''")
    return f"'{quoted}'" if "\\" not in text else " E'" + quoted.replace("\\", "\\\\") + "'"


def _whole(text: str) -> str:
    if "\0" in text:
        raise EngineError("a name with a zero byte cannot be PostgreSQL's")
    return text


def execute(session: psycopg.Connection[Any], statement: str) -> None:
    """Run a statement whose parts are quoted, also where names are bytes that are no text."""
    session.execute(statement.encode("utf-8", "surrogateescape"))


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
        granted = _all_by_default(wanted.owner)
    everybody = {grant.grantee for grant in has.grants or []} | {None, has.owner, wanted.owner}
    made = [
        f"REVOKE ALL ON {target} FROM {'PUBLIC' if each is None else name(each)} CASCADE"
        for each in sorted(everybody, key=str)
    ]
    return made + [_grant(target, each, wanted.owner) for each in in_order(granted, wanted.owner)]


def _all_by_default(owner: str) -> list[Grant]:
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
        grants = _all_by_default(properties.owner)
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


def roles_named(wanted: Properties) -> set[str]:
    """Return the roles that the database itself needs."""
    named = {wanted.owner}
    for grant in wanted.grants or []:
        named |= {grant.grantor} | ({grant.grantee} if grant.grantee is not None else set())
    return named | {each.role for each in wanted.settings if each.role is not None}
