"""Asks a server what a database is besides its contents, and who may use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_backup.engines.postgres.properties.model import Properties

if TYPE_CHECKING:
    import psycopg

_DATABASE = """
    SELECT datname::text AS name, pg_get_userbyid(datdba)::text AS owner,
           pg_encoding_to_char(encoding)::text AS encoding,
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
