"""Who edits a connection cannot have a file of the worker sent to a server of their choice."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_backup.core.connections import Connection
from airflow_backup.core.errors import ConfigError
from airflow_backup.engines.restic.program import Restic
from airflow_backup.storage.open import open_storage

SENT = {
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/opt/airflow/airflow.cfg",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/opt/airflow/airflow.cfg",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/",
    "AZURE_FEDERATED_TOKEN_FILE": "/opt/airflow/airflow.cfg",
}


def restic_variables(**extra: Any) -> dict[str, str]:
    given = {"AWS_ACCESS_KEY_ID": "k", **extra}
    found = Restic.of(
        None, "s3:h/b", "c", lambda name: Connection(id=name, password="p", extra=given)
    )
    return found.variables


@pytest.mark.parametrize(("name", "value"), SENT.items(), ids=SENT)
def test_restic_sends_no_file_that_a_connection_names(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(name, raising=False)
    assert restic_variables(**{name: value}) == {"AWS_ACCESS_KEY_ID": "k"}
    monkeypatch.setenv(name, "/var/run/secrets/own")
    assert restic_variables(**{name: value}) == {"AWS_ACCESS_KEY_ID": "k"}
    own = {name: "/var/run/secrets/own"}
    assert restic_variables(**own) == {"AWS_ACCESS_KEY_ID": "k", **own}


def test_the_key_file_of_a_worker_opens_no_endpoint_of_somebodys_own() -> None:
    extra = {"key_path": "/etc/gcp/key.json", "endpoint_url": "http://127.0.0.1:1"}
    with pytest.raises(ConfigError, match="an endpoint of its own and a key file of the worker"):
        open_storage("gs://bucket/x", lambda name: Connection(id=name, extra=extra), connection="c")
