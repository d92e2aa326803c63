"""
Which Airflow is installed, and whether its plugin, provider and DAGs can work with this package.

Nothing of Airflow is imported to know it: what we need of it is not there in an older one, and would fail with a
traceback in whichever of its processes comes first.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from airflow_backup import __version__

OLDEST = (3, 3)
TOO_NEW = (4, 0)
EXTRA = "pip install 'airflow-backup[airflow]'"

_DISTRIBUTIONS = ("apache-airflow-core", "apache-airflow")
"""Where the version stands: the first one from Airflow 3 on, the second before."""


class Refusal(NamedTuple):
    """Why Airflow's side of this package cannot work here, and what to do."""

    message: str
    hint: str

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})"


def installed() -> str | None:
    """Return the version of the Airflow that is installed here; None where there is none."""
    from importlib.metadata import PackageNotFoundError, version  # slow, and few commands ask

    for name in _DISTRIBUTIONS:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None


def refusal(airflow: str | None) -> Refusal | None:
    """
    Return why nothing of ours works in this version of Airflow; None where it does.

    >>> refusal("3.3.0rc1"), refusal("3.14.2+local")
    (None, None)
    >>> print(refusal("4.0.0").message)
    airflow-backup 0.1.0 works with Airflow 3 from 3.3 on, and this is Airflow 4.0.0
    """
    if airflow is None:
        return Refusal("Airflow is not installed here", EXTRA)
    numbers = re.match(r"(\d+)(?:\.(\d+))?", airflow)
    if numbers and OLDEST <= (int(numbers[1]), int(numbers[2] or 0)) < TOO_NEW:
        return None
    oldest = ".".join(map(str, OLDEST))
    return Refusal(
        f"airflow-backup {__version__} works with Airflow {OLDEST[0]} from {oldest} on, "
        f"and this is Airflow {airflow}",
        f"upgrade Airflow to {oldest} or later, or take another release of airflow-backup; "
        "here nothing is backed up by Airflow",
    )


def require(what: str) -> None:
    """Raise ToolMissing where ``what`` cannot work with the Airflow that is here, or with none."""
    found = refusal(installed())
    if found is not None:
        from airflow_backup.core.errors import ToolMissing

        raise ToolMissing(f"{what} cannot work: {found.message}", hint=found.hint)
