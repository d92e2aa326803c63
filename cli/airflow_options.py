"""What Airflow is configured with, read without Airflow: from its variables and its file, as it reads them itself."""

from __future__ import annotations

import configparser
import os
from pathlib import Path


def airflow_home() -> Path:
    """Return the folder that Airflow calls its home."""
    return Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser()


def airflow_option(section: str, name: str) -> str | None:
    """Return an option of Airflow's configuration: from its variable, else its file; None where neither says it."""
    variable = os.environ.get(f"AIRFLOW__{section.upper()}__{name.upper()}", "").strip()
    if variable:
        return variable
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    configured = os.environ.get("AIRFLOW_CONFIG")
    parser.read(Path(configured).expanduser() if configured else airflow_home() / "airflow.cfg")
    return parser.get(section, name, fallback="").strip() or None
