"""Write the description of the API (OpenAPI) to a file: ``describe_api.py docs/reference/openapi.json``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from airflow_backup.plugin.http.app import create_app, described

text = json.dumps(described(create_app()), indent=1, sort_keys=True, ensure_ascii=False)
Path(sys.argv[1]).write_text(text + "\n", encoding="utf-8")
