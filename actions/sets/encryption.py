"""
To whom a set is sealed, and who may open what of it.

Pieces are sealed to the schedule's recipients, so a worker that has public keys alone can write
them and read nothing back. The one thing that it must read again, the index that the next
incremental is compared with, is sealed to one more key, which derives from the public keys: names,
sizes and times are open to whoever has the repository *and* the public keys; contents are not.
"""

from __future__ import annotations

from collections.abc import Sequence

from airflow_backup.core.connections import Connections
from airflow_backup.core.errors import ConfigError, SourceDenied
from airflow_backup.core.format.age import Identity, Recipient, hkdf, identities, recipient
from airflow_backup.schedules.model.policies import Encryption

FORMAT = "age"


class Seal:
    """The public keys of a schedule."""

    def __init__(self, recipients: Sequence[str]) -> None:
        self.recipients = [recipient(text) for text in recipients]
        material = b"".join(sorted(each.key for each in self.recipients))
        self.index_identity = Identity(
            hkdf(material, salt=b"", info=b"airflow-backup index, version 1")
        )

    def of(self, *, is_index: bool) -> list[Recipient]:
        """Return to whom a stream is sealed."""
        own = [self.index_identity.recipient] if is_index else []
        return [*self.recipients, *own]

    def described(self) -> dict[str, str]:
        """Return what the manifest says: the format and which keys, by their ids."""
        return {"format": FORMAT, "keys": " ".join(sorted(each.id for each in self.recipients))}


def encryption_of(options: Encryption | None) -> Seal | None:
    """Return the seal that a schedule asks for, or None."""
    return None if options is None else Seal(options.recipients)


def secret_keys(options: Encryption | None, connections: Connections) -> list[Identity]:
    """Return the secret keys that a schedule names for restores: from a file, or a connection."""
    if options is None:
        return []
    found: list[Identity] = []
    if options.key_file is not None:
        found += read_keys(options.key_file)
    if options.connection is not None:
        found += identities(connections(options.connection).password or "")
    return found


def read_keys(path: str) -> list[Identity]:
    """Read a file of secret keys, as `age-keygen` writes it."""
    try:
        with open(path, encoding="utf-8") as file:
            found = identities(file.read())
    except (OSError, UnicodeDecodeError) as error:
        raise SourceDenied(f"cannot read the key file '{path}'", hint=f"ls -l {path}") from error
    if not found:
        raise ConfigError(f"the key file '{path}' has no key", hint="age-keygen -o FILE makes one")
    return found
