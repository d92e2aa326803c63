"""One module per command; each has `add_to(commands)`."""

from __future__ import annotations

from airflow_backup.cli.commands import (
    diff,
    export,
    import_,
    init,
    list_,
    next_,
    prune,
    report,
    restore,
    run,
    schema,
    show,
    status,
    sync,
    validate,
    verify,
)

COMMANDS = (
    validate,
    diff,
    schema,
    next_,
    list_,
    show,
    run,
    status,
    report,
    verify,
    restore,
    prune,
    sync,
    export,
    import_,
    init,
)
