"""`airflow-backup keygen`: makes the key with which sets are signed."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from airflow_backup.cli import exit_codes
from airflow_backup.cli.output import print_json
from airflow_backup.core.errors import ConfigError


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "keygen", help="make the private key with which sets are signed, and print the public one"
    )
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="where the private key is written; must not exist"
    )
    parser.add_argument(
        "--public", action="store_true", help="print the public key of a private key that exists"
    )
    parser.add_argument("--format", choices=["text", "json"], default="text")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the private key, readable for its owner alone, and print the public key."""
    from airflow_backup.core.format.signing import SigningKey, new_key

    if arguments.public:
        key = SigningKey(_read(arguments.file))
    else:
        pem = new_key()
        _write(arguments.file, pem)
        key = SigningKey(pem)
    if arguments.format == "json":
        print_json({"public_key": str(key.public), "key_id": key.public.id})
    else:
        print(key.public)
    return exit_codes.DONE


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(65536)
    except OSError as error:
        raise ConfigError(
            f"cannot read '{path}': {(error.strerror or str(error)).lower()}"
        ) from error


def _write(path: Path, pem: bytes) -> None:
    # An older key is never written over: its public half may be all that proves older sets.
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError as error:
        raise ConfigError(
            f"'{path}' is there already", hint="its public key: airflow-backup keygen --public FILE"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"cannot write '{path}': {(error.strerror or str(error)).lower()}"
        ) from error
    with open(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
