"""
The description of the API that the page's types are made from is what the API says; `scripts/reference` writes it.
"""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.service

DESCRIPTION = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"


def test_the_description_is_current(admin: httpx.Client) -> None:
    described = admin.get("backup/api/v1/openapi.json").json()
    assert json.loads(DESCRIPTION.read_text(encoding="utf-8")) == described, "run scripts/reference"
