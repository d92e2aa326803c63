"""The database on a test server into which a dump is restored, and its roles."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_backup.engines.postgres.client.quoting import execute, name
from airflow_backup.engines.postgres.client.server import Server
from airflow_backup.engines.postgres.load.whole import load_dump as load_whole
from airflow_backup.engines.postgres.properties.model import Properties
from airflow_backup.engines.postgres.properties.statements import create_statement
from airflow_backup.engines.postgres.restore_test.owner import make_owner, open_to_owner
from airflow_backup.engines.protocol import EngineContext, SetReader


def as_superuser(
    reader: SetReader,
    server: Server,
    wanted: Properties | None,
    context: EngineContext,
    options: Sequence[str],
) -> tuple[Server, list[str]]:
    """
    Load a set as a restore does, into a new database; return that, and what is to be told of it.

    For what an owner's rights do not bring in. Only inside a sandbox that starts no program and opens no file:
    code of the database may do here what a superuser may.
    """
    with server.session() as session:
        for statement in () if wanted is None else _powers(wanted):
            execute(session, statement)
    with server.connect(autocommit=True) as session:
        execute(session, "DROP DATABASE restored WITH (FORCE)")
    target, _ = _new_database(server, reader, wanted)
    load_whole(reader, target, context, options=tuple(options))
    return target, [
        "loaded by a superuser of the sandbox: the rights of its owner do not bring it in"
    ]


def make_database(
    server: Server, reader: SetReader, wanted: Properties | None
) -> tuple[Server, Server, bool]:
    """Make an empty database, its roles and who loads it; tell whether it is like the original."""
    with server.session() as session:
        for statement in () if wanted is None else _roles(wanted):
            execute(session, statement)
    target, is_alike = _new_database(server, reader, wanted)
    with target.session() as session:
        loader = make_owner(session, wanted, target)
        open_to_owner(session, loader, is_owner=wanted is None)
    return target, loader, is_alike


def _new_database(
    server: Server, reader: SetReader, wanted: Properties | None
) -> tuple[Server, bool]:
    """Make an empty database; tell whether it is like the original."""
    import psycopg

    encoding = str(reader.manifest.state.get("encoding") or "UTF8")
    plain = Properties(name="", owner="", encoding=encoding, collate="C", ctype="C")
    is_alike = wanted is not None
    with server.connect(autocommit=True) as session:
        version = session.info.server_version // 10000
        try:
            like = (wanted or plain).model_copy(update={"tablespace": "pg_default"})
            execute(session, create_statement("restored", like, version=version))
        except psycopg.Error:  # a locale that this machine has not
            is_alike = False
            execute(session, create_statement("restored", plain, version=version))
    target = server.other("restored")
    with target.session() as session:
        if wanted is not None:
            execute(session, f"ALTER DATABASE restored OWNER TO {name(wanted.owner)}")
            if "plpgsql" in wanted.lacks:
                session.execute("DROP EXTENSION plpgsql")
            if "public" in wanted.lacks:
                session.execute("DROP SCHEMA public")
    return target, is_alike


def _roles(wanted: Properties) -> list[str]:
    """Return what makes the original's roles: nobody can log in as one, and none may do what owning does not allow."""
    made = [
        f"CREATE ROLE {name(role.name)} NOLOGIN {'INHERIT' if role.inherits else 'NOINHERIT'}"
        for role in wanted.roles
    ]
    for role in wanted.roles:
        # Those of the server itself may read its files and run its programs.
        others = [each for each in role.member_of if not each.startswith("pg_")]
        made += [f"GRANT {name(each)} TO {name(role.name)}" for each in others]
    return made


def _powers(wanted: Properties) -> list[str]:
    """Return what gives the original's roles all that they had."""
    made = [
        f"ALTER ROLE {name(role.name)} {'' if role.superuser else 'NO'}SUPERUSER "
        f"{'' if role.bypasses_rls else 'NO'}BYPASSRLS"
        for role in wanted.roles
    ]
    for role in wanted.roles:
        others = [each for each in role.member_of if each.startswith("pg_")]
        made += [f"GRANT {name(each)} TO {name(role.name)}" for each in others]
    return made
