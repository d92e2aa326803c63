"""Servers that the whole session shares."""

from support.s3 import s3
from support.sftp import sftp

__all__ = ["s3", "sftp"]
