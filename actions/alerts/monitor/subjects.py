"""Which schedules the monitor looks at: those of a file, or those that the catalog knows as deployed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from airflow_backup.actions.report.protection import Subject
from airflow_backup.catalog import Catalog
from airflow_backup.catalog.records import Deployed
from airflow_backup.schedules.loading.index import schedule_of
from airflow_backup.schedules.loading.loaded import CATALOG, Loaded
from airflow_backup.schedules.model.schedule import Schedule


def subjects_of_files(found: Loaded, catalog: Catalog) -> list[Subject]:
    """Return what files say: also what is wrong, of some of which the version before is deployed and runs on."""
    right = found.by_id()
    subjects = [*map(Subject.of, right.values()), *_wrong(found, right, catalog)]
    return switched(subjects, catalog.monitor_state.switches())


def subjects_of_catalog(
    catalog: Catalog, *, told_by: Callable[[str], bool] = lambda origin: False
) -> list[Subject]:
    """
    Return what is deployed; what was made on the page and deleted there is nobody's business any more.

    Of files whose origin ``told_by`` names, somebody else tells what they say now.
    """
    deleted = {each.id for each in catalog.schedules.all() if each.is_deleted}
    live = (
        each
        for each in catalog.deployed.all()
        if (each.id not in deleted if each.file == CATALOG else not told_by(each.origin))
    )
    return switched(map(_of_deployed, live), catalog.monitor_state.switches())


def switched(subjects: Iterable[Subject], switches: Mapping[str, bool]) -> list[Subject]:
    """Put in whether each is enabled, where somebody saw it: the file says only how it begins."""
    return [
        each
        if each.schedule is None
        else replace(each, enabled=switches.get(each.id, each.enabled))
        for each in subjects
    ]


def _wrong(found: Loaded, right: Mapping[str, Schedule], catalog: Catalog) -> Iterator[Subject]:
    for wrong in found.rejected:
        if wrong.id is None or wrong.id in right:
            continue
        why = wrong.problems[0].message
        live = catalog.deployed.get(wrong.id)
        if live is not None and live.state == "last_known_good":
            before = schedule_of(live.definition)
            yield Subject(id=wrong.id, schedule=before, enabled=before.enabled, outdated=why)
        else:
            yield Subject(id=wrong.id, schedule=None, enabled=None, rejected=why)


def _of_deployed(live: Deployed) -> Subject:
    why = str(live.problems[0]["message"]) if live.problems else "its definition is wrong"
    if live.state == "rejected" or not live.definition:
        return Subject(id=live.id, schedule=None, enabled=None, rejected=why)
    schedule = schedule_of(live.definition)
    return Subject(
        id=live.id,
        schedule=schedule,
        enabled=schedule.enabled,
        outdated=why if live.state == "last_known_good" else None,
        is_made=live.file == CATALOG,
    )
