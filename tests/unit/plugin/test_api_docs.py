"""Every route of the API is documented, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi.routing import APIRoute

from airflow_backup.plugin.http.app import API, create_app

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "api.md"


def routes(given: Any) -> Iterator[str]:
    for route in given:
        if isinstance(route, APIRoute):
            for method in sorted(route.methods):
                yield f"{method} {route.path.removeprefix(API)}"


def test_the_page_lists_every_route() -> None:
    documented = set(re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`]*)`", PAGE.read_text()))
    assert documented == set(routes(create_app().routes))
