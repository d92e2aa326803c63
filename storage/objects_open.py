"""
From a repository URL and an Airflow connection to a bucket.

The connections are those of Airflow's own providers, so one that serves other tasks serves backups too:

* ``s3://bucket/prefix``: type ``aws``; login and password are the access key, the extra may have
  ``aws_session_token``, ``region_name``, ``endpoint_url``, ``role_arn``, ``server_side_encryption``,
  ``sse_kms_key_id``.
* ``gs://bucket/prefix``: type ``google_cloud_platform``; the extra has ``keyfile_dict`` or ``key_path``.
* ``az://container/prefix``: type ``wasb``; login is the account and password its key, or the extra has
  ``sas_token``, or ``tenant_id`` with the client's id and secret as login and password and the account in ``host``.

Without a connection the worker's own identity is used: the environment, a role of the machine or of the pod.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from obstore.store import AzureStore, GCSStore, S3Store

from airflow_backup.core.connections import Connection, Connections
from airflow_backup.core.endpoints import check_endpoint
from airflow_backup.core.errors import ConfigError, ToolMissing
from airflow_backup.storage.objects import ObjectStorage
from airflow_backup.storage.protocol import check_name

if TYPE_CHECKING:  # these have no being at run time
    from obstore.store import AzureConfig, ClientConfig, GCSConfig, RetryConfig, S3Config

_RETRY: RetryConfig = {
    "max_retries": 1000,
    "retry_timeout": timedelta(minutes=2),
    "backoff": {
        "init_backoff": timedelta(milliseconds=250),
        "max_backoff": timedelta(seconds=10),
        "base": 2,
    },
}
"""The time ends the trying, never the number: pauses are chosen at random, and the shortest may come often."""

_S3_EXTRA = {
    "aws_session_token": "session_token",
    "region_name": "region",
    "server_side_encryption": "server_side_encryption",
    "sse_kms_key_id": "sse_kms_key_id",
}


def open_s3(url: str, connections: Connections, connection: str | None) -> ObjectStorage:
    """Open ``s3://bucket/prefix``."""
    bucket, prefix = _place(url)
    found = _credentials(connections, connection, "aws")
    options: dict[str, Any] = {"checksum_algorithm": "sha256"}
    client: ClientConfig = {}
    provider = None
    if found is not None:
        options |= _s3_options(found, client)
        if found.extra.get("role_arn"):
            provider = _role(found)
    store = S3Store(
        bucket,
        prefix=prefix,
        config=cast("S3Config", options),
        client_options=client,
        retry_config=_RETRY,
        credential_provider=provider,
    )
    return ObjectStorage(store, url)


def _s3_options(found: Connection, client: ClientConfig) -> dict[str, Any]:
    extra = found.extra
    options = {ours: str(extra[theirs]) for theirs, ours in _S3_EXTRA.items() if extra.get(theirs)}
    options.setdefault("region", "us-east-1")
    key = found.login or extra.get("aws_access_key_id")
    secret = found.password or extra.get("aws_secret_access_key")
    if bool(key) != bool(secret):
        raise ConfigError(
            f"connection '{found.id}' has half an access key",
            hint="the login is the key's id, and the password the secret",
        )
    if key and not extra.get("role_arn"):
        options |= {"access_key_id": str(key), "secret_access_key": str(secret)}
    endpoint = extra.get("endpoint_url") or found.host
    if endpoint:
        options["endpoint"] = _endpoint(str(endpoint), client)
    return options


def _role(found: Connection) -> Any:
    """Assume a role, as Airflow's own connection does, and renew it before it ends."""
    try:
        import boto3
        from obstore.auth.boto3 import StsCredentialProvider
    except ImportError as error:
        raise ToolMissing(
            f"connection '{found.id}' names a role, and boto3 is not installed",
            hint="pip install boto3",
        ) from error
    session = boto3.Session(
        aws_access_key_id=found.login or found.extra.get("aws_access_key_id"),
        aws_secret_access_key=found.password or found.extra.get("aws_secret_access_key"),
        region_name=found.extra.get("region_name") or "us-east-1",
    )
    return StsCredentialProvider(
        session, RoleArn=str(found.extra["role_arn"]), RoleSessionName="airflow-backup"
    )


def open_gs(url: str, connections: Connections, connection: str | None) -> ObjectStorage:
    """Open ``gs://bucket/prefix``."""
    bucket, prefix = _place(url)
    found = _credentials(connections, connection, "google_cloud_platform")
    options: dict[str, Any] = {}
    client: ClientConfig = {}
    if found is not None:
        keys = _short_extra(found, "extra__google_cloud_platform__")
        if keys.get("keyfile_dict"):
            text = keys["keyfile_dict"]
            options["service_account_key"] = text if isinstance(text, str) else json.dumps(text)
        elif keys.get("key_path"):
            options["service_account"] = str(keys["key_path"])
        if keys.get("endpoint_url") and keys.get("key_path") and not keys.get("keyfile_dict"):
            raise ConfigError(
                f"connection '{found.id}' has an endpoint of its own and a key file of the worker",
                hint="what the file opens would be sent there; put the key itself into `keyfile_dict`",
            )
        if keys.get("endpoint_url"):
            options["base_url"] = _endpoint(str(keys["endpoint_url"]), client)
            options["skip_signature"] = not keys.get("keyfile_dict")
    store = GCSStore(
        bucket,
        prefix=prefix,
        config=cast("GCSConfig", options),
        client_options=client,
        retry_config=_RETRY,
    )
    return ObjectStorage(store, url)


def open_az(url: str, connections: Connections, connection: str | None) -> ObjectStorage:
    """Open ``az://container/prefix``."""
    container, prefix = _place(url)
    found = _credentials(connections, connection, "wasb")
    client: ClientConfig = {}
    store = AzureStore(
        container,
        prefix=prefix,
        config=cast("AzureConfig", {} if found is None else _azure_options(found, client)),
        client_options=client,
        retry_config=_RETRY,
    )
    return ObjectStorage(store, url)


def _azure_options(found: Connection, client: ClientConfig) -> dict[str, Any]:
    extra = _short_extra(found, "extra__wasb__")
    options: dict[str, Any] = {}
    if extra.get("tenant_id"):
        options |= {
            "tenant_id": str(extra["tenant_id"]),
            "client_id": found.login,
            "client_secret": found.password,
            "account_name": (found.host or "").removeprefix("https://").split(".", 1)[0],
        }
    else:
        options["account_name"] = found.login
        if extra.get("sas_token"):
            options["sas_key"] = str(extra["sas_token"]).lstrip("?")
        else:
            options["account_key"] = found.password
    if extra.get("endpoint_url"):
        options["endpoint"] = _endpoint(str(extra["endpoint_url"]), client)
    missing = [key for key, value in options.items() if not value]
    if missing:
        raise ConfigError(
            f"connection '{found.id}' does not say the {missing[0].replace('_', ' ')}",
            hint="the login is the account, and the password its key",
        )
    return options


def _place(url: str) -> tuple[str, str | None]:
    parts = urlsplit(url)
    prefix = parts.path.strip("/")
    if not parts.hostname or parts.username or parts.port or parts.query or parts.fragment:
        raise ConfigError(
            f"'{parts.scheme}://{parts.hostname or ''}{parts.path}' is not {parts.scheme}://bucket/prefix",
            hint="keys and endpoints belong into the connection",
        )
    return parts.netloc, check_name(prefix) if prefix else None


def _credentials(connections: Connections, connection: str | None, kind: str) -> Connection | None:
    if connection is None:
        return None
    found = connections(connection)
    if found.type not in (kind, "generic", ""):
        raise ConfigError(
            f"connection '{connection}' is of type '{found.type}', and the repository needs '{kind}'"
        )
    return found


def _short_extra(found: Connection, prefix: str) -> dict[str, Any]:
    """Return the extra, also what older releases of Airflow stored under long names."""
    return {key.removeprefix(prefix): value for key, value in found.extra.items()}


def _endpoint(url: str, client: ClientConfig) -> str:
    client["allow_http"] = url.startswith("http://")
    return check_endpoint(url).rstrip("/")
