"""What only buckets do: uploads in parts, refusals of the service, credentials; against a real S3-speaking server."""

from __future__ import annotations

import base64
import hashlib
import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from airflow_backup.core.connections import Connection, Connections
from airflow_backup.core.errors import ConfigError, NameTaken, StorageError, StorageUnavailable
from airflow_backup.core.failure_class import FailureClass
from airflow_backup.storage import objects_open
from airflow_backup.storage.objects_writer import PART_SIZE
from airflow_backup.storage.open import open_storage
from airflow_backup.storage.protocol import Storage
from support.servers.s3 import KEY, SECRET, S3Server
from support.servers.stuttering import Stuttering

MIB = 1024 * 1024


@pytest.fixture
def bucket(s3: S3Server) -> str:
    return s3.new_bucket()


@pytest.fixture
def storage(s3: S3Server, bucket: str) -> Storage:
    return open_storage(f"s3://{bucket}/backups", s3.connections, connection="aws_backup")


def blocks(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield hashlib.sha256(bytes([number])).digest() * (MIB // 32)


def unfinished(s3: S3Server, bucket: str) -> list[str]:
    found = s3.client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    return [each["Key"] for each in found]


def test_a_large_object_goes_up_in_parts_and_comes_back_the_same(
    s3: S3Server, bucket: str, storage: Storage
) -> None:
    with storage.create("wiki/sets/1/files.tar") as writer:
        for block in blocks(27):
            writer.write(block)
        assert list(storage.list()) == []
        stored = writer.commit()
    assert stored.size == 27 * MIB
    head = s3.client.head_object(Bucket=bucket, Key="backups/wiki/sets/1/files.tar")
    assert int(head["ETag"].strip('"').split("-")[1]) == -(-stored.size // PART_SIZE)
    assert storage.read("wiki/sets/1/files.tar") == b"".join(blocks(27))
    middle = storage.read("wiki/sets/1/files.tar", offset=5 * MIB - 3, length=9)
    assert middle == b"".join(blocks(27))[5 * MIB - 3 : 5 * MIB + 6]


def test_the_service_is_told_the_checksum_of_everything_it_stores(
    s3: S3Server, bucket: str
) -> None:
    proxy = Stuttering(s3.endpoint)
    with proxy as endpoint:
        storage = open_storage(f"s3://{bucket}", _connections(endpoint), connection="aws")
        storage.put("a", b"hello")
        with storage.create("b") as writer:
            for block in blocks(9):
                writer.write(block)
            writer.commit()
    small, *parts = proxy.checksums
    assert small == "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="
    whole = b"".join(blocks(9))
    cut = (whole[:PART_SIZE], whole[PART_SIZE:])
    assert sorted(parts) == sorted(
        base64.b64encode(hashlib.sha256(part).digest()).decode() for part in cut
    )


def test_a_large_object_given_up_leaves_neither_a_name_nor_parts(
    s3: S3Server, bucket: str, storage: Storage
) -> None:
    def write_half() -> None:
        with storage.create("a") as writer:
            for block in blocks(20):
                writer.write(block)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()
    assert list(storage.list()) == []
    assert unfinished(s3, bucket) == []


def test_a_large_object_never_overwrites_one_that_was_faster(
    s3: S3Server, bucket: str, storage: Storage
) -> None:
    with storage.create("a") as writer:
        for block in blocks(10):
            writer.write(block)
        storage.put("a", b"first")
        with pytest.raises(NameTaken):
            writer.commit()
    assert storage.read("a") == b"first"
    assert unfinished(s3, bucket) == []


def test_a_bucket_with_object_lock_is_good_enough(s3: S3Server) -> None:
    bucket = s3.new_bucket(ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}
    s3.client.put_object_lock_configuration(
        Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    # S3 takes the checksum itself for an answer; this server wants its algorithm named once more.
    named = ("x-amz-sdk-checksum-algorithm", "SHA256")
    with Stuttering(s3.endpoint, header=named) as endpoint:
        storage = open_storage(f"s3://{bucket}", _connections(endpoint), connection="aws")
        storage.check()
        storage.put("wiki/manifest.json", b"{}")
        with storage.create("wiki/piece") as writer:
            for block in blocks(9):
                writer.write(block)
            writer.commit()
    storage = open_storage(f"s3://{bucket}", s3.connections, connection="aws_backup")
    assert [each.name for each in storage.list("wiki/")] == ["wiki/manifest.json", "wiki/piece"]


def test_a_missing_bucket_is_named(s3: S3Server) -> None:
    storage = open_storage("s3://no-such-bucket/x", s3.connections, connection="aws_backup")
    for ask in (storage.check, lambda: storage.put("a", b"")):
        with pytest.raises(StorageError, match="there is no such bucket") as caught:
            ask()
        assert "s3://no-such-bucket/x" in caught.value.message


def test_a_server_that_is_down_is_a_network_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(objects_open._RETRY, "max_retries", 0)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        storage = open_storage("s3://bucket", _connections(endpoint), connection="aws")
        with pytest.raises(StorageUnavailable) as caught:
            storage.put("a", b"")
    assert caught.value.failure_class is FailureClass.NETWORK
    assert "Debug source" not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_server_that_is_away_for_seconds_costs_no_run(s3: S3Server) -> None:
    with Stuttering(s3.endpoint, failures=9) as endpoint:  # more than six, and within a few seconds
        bucket = s3.new_bucket()
        through = open_storage(f"s3://{bucket}", _connections(endpoint), connection="aws")
        through.put("a", b"here at last")
    direct = open_storage(f"s3://{bucket}", s3.connections, connection="aws_backup")
    assert direct.read("a") == b"here at last"


def test_every_object_store_is_asked_for_two_minutes() -> None:
    retry: dict[str, Any] = {**objects_open._RETRY}
    assert retry["retry_timeout"] == timedelta(minutes=2)
    # Even if each pause were the shortest one, the number of tries is not what ends it.
    assert retry["max_retries"] * retry["backoff"]["init_backoff"] >= timedelta(minutes=2)


def test_a_server_that_stutters_is_asked_again(s3: S3Server) -> None:
    with Stuttering(s3.endpoint, failures=3) as endpoint:
        bucket = s3.new_bucket()
        through = open_storage(f"s3://{bucket}", _connections(endpoint), connection="aws")
        through.put("a", b"here at last")
    direct = open_storage(f"s3://{bucket}", s3.connections, connection="aws_backup")
    assert direct.read("a") == b"here at last"


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://169.254.169.254",
        "http://169.254.170.2/creds",
        "http://[fe80::1]:9000",
        "http://[::ffff:169.254.169.254]",
        "http://[fd00:ec2::254]",
        "http://metadata.google.internal",
        "http://2852039166",  # 169.254.169.254 as one number
        "ftp://example.org",
        "http://user:password@127.0.0.1:9000",
        "file:///etc",
    ],
)
def test_an_endpoint_that_leads_to_the_machines_own_secrets_is_refused(endpoint: str) -> None:
    with pytest.raises(ConfigError, match="endpoint") as caught:
        open_storage("s3://bucket", _connections(endpoint), connection="aws")
    assert "password" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "simplecache::s3://bucket/x",
        "filecache::sftp://host/x",
        "s3://key:secret@bucket/x",
        "s3://bucket:9000/x",
        "s3://bucket/x?endpoint=http://169.254.169.254",
        "s3://bucket/../x",
        "s3://",
        "http://example.org/x",
        "ftp://example.org/x",
        "zip://bucket/x",
        "github://owner:repo@/x",
    ],
)
def test_an_address_that_is_more_than_a_place_is_refused(url: str) -> None:
    with pytest.raises((ConfigError, StorageError)) as caught:
        open_storage(url, _connections("http://127.0.0.1:9"), connection="aws")
    assert "secret" not in str(caught.value).replace("an-example-secret", "")


def test_a_connection_of_another_type_is_refused() -> None:
    def look_up(connection_id: str) -> Connection:
        return Connection(id=connection_id, type="postgres", host="db")

    with pytest.raises(ConfigError, match="is of type 'postgres', and the repository needs 'aws'"):
        open_storage("s3://bucket", look_up, connection="orders_db")


def test_half_an_access_key_is_refused() -> None:
    def look_up(connection_id: str) -> Connection:
        return Connection(id=connection_id, type="aws", login=KEY)

    with pytest.raises(ConfigError, match="half an access key"):
        open_storage("s3://bucket", look_up, connection="aws")


def test_google_and_azure_open_with_their_own_connections() -> None:
    def look_up(connection_id: str) -> Connection:
        if connection_id == "azure":
            return Connection(id=connection_id, type="wasb", login="account", password="a2V5")
        extra = {"endpoint_url": "http://127.0.0.1:9"}
        return Connection(id=connection_id, type="google_cloud_platform", extra=extra)

    assert open_storage("az://container/x", look_up, connection="azure").url == "az://container/x"
    assert open_storage("gs://bucket/x", look_up, connection="google").url == "gs://bucket/x"


def test_an_azure_connection_without_a_key_says_what_is_missing() -> None:
    def look_up(connection_id: str) -> Connection:
        return Connection(id=connection_id, type="wasb", login="account")

    with pytest.raises(ConfigError, match="does not say the account key"):
        open_storage("az://container", look_up, connection="azure")


def _connections(endpoint: str) -> Connections:
    def look_up(connection_id: str) -> Connection:
        return Connection(
            id=connection_id,
            type="aws",
            login=KEY,
            password=SECRET,
            extra={"endpoint_url": endpoint},
        )

    return look_up
