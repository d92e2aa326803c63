"""Ask all promises of one engine: the one line that an engine package's own tests need."""

from __future__ import annotations

from pathlib import Path

from airflow_backup.actions.contract.case import ContractBroken, EngineCase, Stage
from airflow_backup.actions.contract.promises import PROMISES
from airflow_backup.core.errors import BackupError


def check_engine(case: EngineCase, folder: Path) -> list[str]:
    """
    Ask an engine for everything that engines promise; return the promises, in words.

    ``folder`` is an empty place for repository, scratch files and restored sources; what is in it afterwards is the
    caller's. ContractBroken, an AssertionError, says which promise is not kept and what was seen.
    """
    kept = []
    with Stage.of(case, folder) as stage:
        for promise in PROMISES:
            words = (promise.__doc__ or promise.__name__).strip()
            try:
                promise(stage)
            except ContractBroken as error:
                raise ContractBroken(f"{words} Not so: {error}") from error
            except BackupError as error:
                raise ContractBroken(f"{words} Not so: {type(error).__name__}: {error}") from error
            kept.append(words)
    return kept
