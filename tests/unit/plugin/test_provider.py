"""What Airflow learns of us, and what that costs its processes."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema

import airflow_backup
from airflow_backup.plugin.provider_info import get_provider_info

PACKAGE = Path(airflow_backup.__file__).parent
ROOMS = ("operators", "dags", "plugin", "cli")


def airflow_folder() -> Path:
    """Find Airflow without importing it."""
    found = importlib.util.find_spec("airflow")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def test_the_metadata_are_as_airflow_wants_them() -> None:
    schema = json.loads((airflow_folder() / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_every_module_that_the_metadata_name_is_there() -> None:
    info = get_provider_info()
    for part in ("operators", "sensors", "triggers"):
        for entry in info[part]:
            for module in entry["python-modules"]:
                assert importlib.util.find_spec(module) is not None, module


def test_every_option_is_described_has_a_default_and_is_read_by_something() -> None:
    options = get_provider_info()["config"]["backup"]["options"]
    code = "".join(path.read_text() for room in ROOMS for path in (PACKAGE / room).rglob("*.py"))
    read = set(re.findall(r"""\b(?:option|folders)\("(\w+)"\)|AIRFLOW__BACKUP__(\w+)""", code))
    assert set(options) == {(name or variable).lower() for name, variable in read}
    for name, option in options.items():
        assert option["description"], name
        assert isinstance(option["default"], str), name


def test_loading_the_plugin_costs_a_task_nothing(tmp_path: Path) -> None:
    """Every worker process imports the plugin; the API and the DAGs must not come with it."""
    program = (
        "import sys, airflow.plugins_manager\n"
        "before = set(sys.modules)\n"
        "from airflow_backup.plugin.airflow_plugin import BackupPlugin\n"
        "BackupPlugin()\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"AIRFLOW_HOME": str(tmp_path), "PATH": ""},
    )
    added = done.stdout.splitlines()[-1].split()
    assert set(added) <= {
        "airflow_backup",
        "airflow_backup.core",
        "airflow_backup.core.installed",
        "airflow_backup.core.installed.airflow_release",
        "airflow_backup.plugin",
        "airflow_backup.plugin.airflow_plugin",
    }
