"""One module per command; each has `add_to(commands)`."""

from __future__ import annotations

from airflow_backup.cli.commands.config import (
    coverage,
    db,
    diff,
    export,
    import_,
    keygen,
    next_,
    schema,
    setup,
    validate,
)
from airflow_backup.cli.commands.sets import (
    init,
    list_,
    monitor,
    notify,
    prune,
    report,
    restore,
    run,
    show,
    status,
    sync,
    verify,
)

COMMANDS = (
    validate,
    diff,
    schema,
    setup,
    next_,
    list_,
    show,
    run,
    status,
    monitor,
    notify,
    report,
    coverage,
    verify,
    restore,
    prune,
    sync,
    export,
    import_,
    init,
    db,
    keygen,
)
