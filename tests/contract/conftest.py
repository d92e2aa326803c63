"""Servers that the whole session shares."""

from support.s3 import s3

__all__ = ["s3"]
