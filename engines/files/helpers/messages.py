"""What a restore and its helpers say to each other."""

from __future__ import annotations

import struct

FACTS = struct.Struct("<IBIIIIq")
"""Of each member: the length of its name, its kind, mode, uid, gid, size and time; name and content follow."""

BATCH = struct.Struct("<I")
"""The length of the members that follow; no members are the end."""

SETTLE = b"!"
"""In place of a member's kind: answer with this when all that came before is done."""
