"""Servers that several contract tests share."""

from support.servers.azure import azure
from support.servers.postgres_bank import bank
from support.servers.s3 import s3
from support.servers.sftp import sftp

__all__ = ["azure", "bank", "s3", "sftp"]
