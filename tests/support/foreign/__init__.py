"""
Configurations of other tools, as people have them; FOLDER, HOST, PORT and USER are filled in, CANARY is no secret of
ours.
"""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
CANARY = "Kanarienvogel"
"""Stands wherever a password may: in the files, and never in what is made of them."""


def copied(name: str, folder: Path, **filled: str) -> Path:
    """Copy one configuration into a folder, with what is filled in."""
    text = (HERE / name).read_text(encoding="utf-8").replace("FOLDER", str(folder))
    for key, value in filled.items():
        text = text.replace(key, value)
    target = folder / name
    target.write_text(text, encoding="utf-8")
    return target
