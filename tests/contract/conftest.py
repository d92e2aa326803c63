"""Servers that several contract tests share."""

from support.azure import azure
from support.postgres_bank import bank
from support.s3 import s3
from support.sftp import sftp

__all__ = ["azure", "bank", "s3", "sftp"]
