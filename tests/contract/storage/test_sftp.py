"""What only SFTP does: who is let in, and to whom a backup is sent."""

from __future__ import annotations

import asyncssh
import pytest

from airflow_backup.core.errors import ConfigError, StorageDenied, StorageUnavailable
from airflow_backup.storage.open import open_storage
from support.servers.sftp import SftpServer


def url(server: SftpServer) -> str:
    return f"sftp://127.0.0.1:{server.port}/backups"


def test_a_machine_that_nobody_vouches_for_is_refused(
    sftp: SftpServer, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    with pytest.raises(StorageDenied, match="nobody vouches for the host key"):
        open_storage(url(sftp), sftp.connections(host_key=""), connection="elsewhere")


def test_a_machine_with_another_key_is_refused(sftp: SftpServer) -> None:
    another = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    with pytest.raises(StorageDenied, match="nobody vouches"):
        open_storage(url(sftp), sftp.connections(host_key=another), connection="elsewhere")


def test_a_wrong_password_is_refused_without_showing_it(sftp: SftpServer) -> None:
    wrong = sftp.connections(password="canary-9f2")
    with pytest.raises(StorageDenied, match="lets nobody in") as caught:
        open_storage(url(sftp), wrong, connection="elsewhere")
    assert "canary-9f2" not in str(caught.value)


def test_a_machine_that_is_down_is_a_network_failure() -> None:
    server = SftpServer(1, "", None)  # type: ignore[arg-type]  # nobody listens there
    key = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    with pytest.raises(StorageUnavailable, match="cannot be reached"):
        open_storage(url(server), server.connections(host_key=key), connection="elsewhere")


def test_a_folder_whose_parent_is_missing_is_more_likely_a_missing_disk(sftp: SftpServer) -> None:
    storage = open_storage(f"{url(sftp)}/a/b/c", sftp.connections(), connection="elsewhere")
    with pytest.raises(StorageUnavailable, match="there is no folder '/backups/a/b'"):
        storage.put("x", b"")


@pytest.mark.parametrize("text", ["not a key", "ssh-ed25519 AAAA"])
def test_a_host_key_that_is_none_is_refused(sftp: SftpServer, text: str) -> None:
    with pytest.raises(ConfigError, match="`host_key` of connection 'elsewhere' is not a public"):
        open_storage(url(sftp), sftp.connections(host_key=text), connection="elsewhere")


def test_a_private_key_that_cannot_be_read_is_not_shown(sftp: SftpServer) -> None:
    with pytest.raises(ConfigError, match="private key of connection 'elsewhere'") as caught:
        open_storage(url(sftp), sftp.connections(private_key="canary-7a1"), connection="elsewhere")
    assert "canary-7a1" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong", ["sftp://user:word@host/x", "sftp://host", "sftp://host/a/../b", "sftp:///x"]
)
def test_an_address_that_is_more_than_a_place_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_storage(wrong)
    assert "word" not in str(caught.value).replace("password", "")


def test_the_metadata_service_is_no_machine_to_send_backups_to() -> None:
    with pytest.raises(ConfigError, match="link-local"):
        open_storage("sftp://169.254.169.254/x")
