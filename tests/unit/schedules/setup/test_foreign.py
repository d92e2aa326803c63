"""Single lines and keys of other tools' configurations: what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_backup.core.errors import ConfigError
from airflow_backup.schedules.setup.assemble import assembled
from airflow_backup.schedules.setup.document import document
from airflow_backup.schedules.setup.draft import Draft, Reading
from airflow_backup.schedules.setup.foreign import borgmatic, crontab
from airflow_backup.schedules.setup.foreign.detect import tool_of
from airflow_backup.schedules.setup.foreign.read_all import Given, joined, read
from airflow_backup.schedules.setup.times import from_cron, machine_timezone


def of_line(command: str) -> Reading:
    return crontab.read(f"0 2 * * * {command}", origin="c", home="/home/me")


SOURCES: dict[str, tuple[str, dict[str, Any]]] = {
    "by a URL": ("pg_dump postgresql://me:pw@h:1/d\\%20b", {"database": "d b"}),
    "by words": ("pg_dump -d 'host=h dbname=x'", {"database": "x"}),
    "by a variable": ("PGDATABASE=x pg_dump -h h", {"database": "x"}),
    "a cluster": ("pg_basebackup -D /x -X stream", {"method": "physical"}),
    "all": ("pg_dumpall -U postgres", {"method": "physical"}),
    "mysql with an option file": ("mysqldump --defaults-file=/r/my.cnf shop", {"database": "shop"}),
    "mysql, a table": ("mysqldump -psecret shop orders", {"database": "shop"}),
    "mysql, all": ("mariadb-dump -A", {}),
    "tar with a dash": ("tar -cpzf - /etc | ssh h dd of=x", {"path": "/etc"}),
    "tar below a folder": ("tar cf x.tar -C /srv ./wiki", {"path": "/srv/wiki"}),
    "several": ("tar cf x.tar /etc /srv", {"paths": ["/etc", "/srv"]}),
    "one inside another": ("tar cf x.tar /srv /srv/wiki", {"path": "/srv"}),
    "stars": ("tar cf x.tar /home/*/mail", {"path": "/home", "include": ["/*/mail"]}),
    "rsync": ("rsync -a /srv/wiki /mnt", {"path": "/srv/wiki"}),
    "tar, where it begins": (
        "tar czf x.tgz -C /srv/wiki --exclude=./cache --exclude=./a/b .",
        {"path": "/srv/wiki", "exclude": ["/cache", "/a/b"]},
    ),
    "rsync, its own name": (
        "rsync -a --exclude=/wiki/old /srv/wiki /mnt",
        {"path": "/srv/wiki", "exclude": ["/old"]},
    ),
    "sqlite": ("sqlite3 /srv/a.db .dump > /b/a.sql", {"path": "/srv/a.db"}),
}


@pytest.mark.parametrize(("command", "source"), SOURCES.values(), ids=SOURCES)
def test_the_source_of_a_command(command: str, source: dict[str, Any]) -> None:
    (draft,) = of_line(command).drafts
    assert {key: value for key, value in draft.source.items() if key != "engine"} == source
    assert "secret" not in str(draft)
    assert "pw" not in str(draft.connection)


NONE = {
    "a loop over what a shell finds": "for d in $(psql -l); do pg_dump $d; done",
    "unpacking": "tar xzf /x.tgz",
    "from elsewhere": "rsync -a nas:/x /y",
    "relative": "tar czf x.tgz wiki",
    "a list": "rsync -a --files-from=/list / nas:/x",
    "some files": "rsync -a --include='*/' --include='*.jpg' --exclude='*' /x/ /y",
    "roles": "pg_dumpall --globals-only",
    "a query": "sqlite3 /srv/a.db 'select 1'",
    "dump of what": "mysqldump",
    "no backup": "restic snapshots; xtrabackup --prepare",
    "no engine": "mongodump --archive=/x",
    "pure shell": "test -x /usr/sbin/anacron || run-parts /etc/cron.daily",
}


@pytest.mark.parametrize("command", NONE.values(), ids=NONE)
def test_what_is_no_backup_is_named_and_never_left_out_in_silence(command: str) -> None:
    found = of_line(command)
    assert found.drafts == ()
    assert found.notes
    assert all("c, line 1" in each for each in found.notes)


LEAKS = {
    "an address in capitals": "pg_dump POSTGRES://me:Kanarienvogel@h/d",
    "an address that is none": "pg_dump 'jdbc:postgresql://me:Kanarienvogel@h/d'",
    "words of libpq": "pg_dump \"host=h password='Kanarien vogel Kanarienvogel' dbname=d\"",
    "a port that is none": "pg_dump -pKanarienvogel d",
    "an address for mysql": "mysqldump mysql://me:Kanarienvogel@h/d",
    "glued": "mysqldump --passwordKanarienvogel d",
    "attached": "mysqldump -u root -p'Kanarienvogel' --password=Kanarienvogel d",
    "a container's variable": "docker exec --env PGPASSWORD=Kanarienvogel db pg_dump d",
    "a container's variable, short": "docker exec -e PGPASSWORD=Kanarienvogel db pg_dump d",
    "a command that waits": "sshpass -p Kanarienvogel ssh h pg_dump d",
    "a cipher": "pg_dump d | openssl enc -pass pass:Kanarienvogel > /b/d",
    "a variable before": "MY_PASS=Kanarienvogel; echo $MY_PASS | pg_dump -h $MY_PASS d > /b/$MY_PASS/x",
    "restic": "restic -r rest:https://me:Kanarienvogel@h/ backup /x; restic -r s3:x -o k=Kanarienvogel backup /y",
    "rsync": "rsync -a /x rsync://me:Kanarienvogel@h/y",
    "what follows the percent sign": "mail root%Kanarienvogel%Kanarienvogel",
    "somebody's own program": "/opt/dump --key Kanarienvogel",
    "a here-string": "pg_dump d <<< Kanarienvogel",
}


@pytest.mark.parametrize("command", LEAKS.values(), ids=LEAKS)
def test_a_password_is_nowhere_in_what_is_made(command: str) -> None:
    drafts, notes = joined([of_line(command)])
    plan = assembled(
        drafts,
        notes,
        origins=["c"],
        repository="file:///r",
        repository_connection=None,
        timezone="UTC",
        when={"preset": "daily"},
        retention=None,
    )
    assert "Kanarien" not in document(plan)
    assert plan.drafts or plan.notes


MALFORMED = {
    "pgbackrest": (
        "pgbackrest",
        "[a]\npg1-path=/x\nrepo1-cipher-pass Kanarienvogel=x\nKanarienvogel: 5 = 6\n",
    ),
    "borgmatic": ("borgmatic", "source_directories: [/x]\npass Kanarienvogel: 5\n"),
    "a database": ("borgmatic", "mysql_databases: [{name: x, pass Kanarienvogel: 5}]"),
    "variables": ("airflow", "export AIRFLOW_CONN_SHOP='sqlite:////x'\nTOKEN=Kanarienvogel:x\n"),
    "one line": ("airflow", '{"a": "Kanarienvogel:x", "b": {"conn_type": "sqlite", "host": "/x"}}'),
}


@pytest.mark.parametrize(("tool", "text"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_line_shows_no_password_either(tool: str, text: str) -> None:
    found = read(Given(text, Path("/c"), tool), home=None)
    assert len(found.drafts) == 1
    assert "Kanarien" not in str(found)


CRON = {
    "*/15 8-17 * * mon-fri": {"cron": "*/15 8-17 * * mon-fri"},
    "0 22-3/2 * jan,feb sun-1": {"cron": "0 22-3/2 * jan,feb sun-1"},
    "@Daily": {"cron": "0 0 * * *"},
    "~ 3 * * *": {"cron": "0 3 * * *", "jitter": "59m"},
}


@pytest.mark.parametrize(("text", "when"), CRON.items())
def test_times_are_kept_as_they_are(text: str, when: dict[str, Any]) -> None:
    assert from_cron(text)[0] == when


@pytest.mark.parametrize("text", ["@reboot", "0 2 * *", "0 25 * * *", "0 2 30 2 *", "* ~ * * *"])
def test_a_time_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        from_cron(text)


def test_a_line_of_the_system_has_a_user() -> None:
    text = "0 2 * * *  root\tpg_dump a\n0 3 * * * postgres  pg_dump b\n0 4 * * * lonely"
    found = crontab.read(text, origin="c", home=None, has_users=True)
    assert [each.name for each in found.drafts] == ["a", "b"]
    assert "c, line 3: this line cannot be read" in found.notes[0]


def test_only_what_find_removes_is_removed_here() -> None:
    text = (
        "0 2 * * * pg_dump a > /b/a.sql\n0 2 * * * pg_dump b > /b2/b.sql\n0 2 * * * tar czf /b/c.tgz /c\n"
        "0 2 * * * pg_dump d > /b/d.sql\n"
        "0 3 * * * find /b -name '*.sql' -mtime +6 -delete\n"
        "0 3 * * * find /b2 -mtime +6 ! -name keep -delete\n"
    )
    found = crontab.read(text, origin="c", home=None)
    assert {each.name: each.retention for each in found.drafts} == {
        "a": {"within": "7d"},
        "b": None,
        "c": None,
        "d": {"within": "7d"},
    }


def of_borgmatic(text: str, folder: Path | None = None) -> tuple[Draft, ...]:
    return borgmatic.read(text, origin="config.yaml", folder=folder, home="/home/me").drafts


def test_the_sections_of_an_old_borgmatic_are_read() -> None:
    text = "location:\n  source_directories: [/etc]\nretention: {keep_daily: 3, keep_weekly: -1}\n"
    (draft,) = of_borgmatic(text)
    assert draft.retention == {"daily": 3, "weekly": 1_000_000}


def test_patterns_of_borg_are_turned_round_because_there_the_first_decides() -> None:
    text = "patterns: ['R /home', '+ /home/susan', '- /home/*', '- sh:**/*.o']\n"
    (draft,) = of_borgmatic(text)
    assert draft.source["exclude"] == ["**/*.o", "/*", "!/susan"]


def test_a_name_alone_is_a_place_for_borg_and_leaves_nothing_else_out() -> None:
    text = "source_directories: [/home]\nexclude_patterns: [.cache, home/x, 'sh:*.o', '*.pyc']\n"
    (draft,) = of_borgmatic(text)
    assert draft.source["exclude"] == ["/x", "*.pyc"]


def test_of_several_rules_those_count_that_keep_more() -> None:
    text = "restic backup /x; restic forget --keep-daily 9 --keep-within 3d; restic forget -d 7 --keep-within 1m"
    (draft,) = of_line(text).drafts
    assert draft.retention == {"daily": 9, "within": "30d10h"}


def test_an_include_that_is_missing_is_an_error_because_it_may_hold_the_sources(
    tmp_path: Path,
) -> None:
    with pytest.raises(ConfigError, match=r"includes 'gone\.yaml', which cannot be read"):
        of_borgmatic("<<: !include gone.yaml\nsource_directories: [/etc]", tmp_path)


def test_files_that_include_each_other_end(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("<<: !include a.yaml\n")
    with pytest.raises(ConfigError, match="include each other"):
        of_borgmatic("<<: !include a.yaml\n", tmp_path)


def test_aliases_that_grow_are_refused() -> None:
    lines = ["a0: &a0 [x, x]"] + [
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)
    ]
    with pytest.raises(ConfigError, match="grows to more than"):
        of_borgmatic("\n".join(lines))


@pytest.mark.parametrize(
    "text", ["a: [", "a: b: c", "\t- x", "!!python/object/apply:os.system [x]"]
)
def test_what_is_no_yaml_is_named_with_its_line_and_never_quoted(text: str) -> None:
    with pytest.raises(
        ConfigError, match=r"config\.yaml(, line 1: this is not YAML|: this is no conf)"
    ) as caught:
        of_borgmatic(f"{text}")
    assert text not in str(caught.value)


SIGNS = {
    "crontab": ("# x\n@daily x\n", "crontab.txt"),
    "a line": ("5 4 * * sun root x y", "x"),
    "borgmatic": ("source_directories:\n  - /etc\n", "config.yaml"),
    "borgmatic's include": ("<<: !include a.yaml\n", "config.yaml"),
    "restic": ("#!/bin/sh\nrestic backup /x\n", "backup"),
    "a script": ("export RESTIC_REPOSITORY=/x\nrestic backup /x\n", "backup"),
    "pgbackrest": ("[global]\nrepo1-path=/x\n[a]\npg1-path=/y\n", "p"),
    "airflow": ('{"a": {"conn_type": "x"}}', "export.json"),
    "airflow as YAML": ("a:\n  conn_type: x\n", "export.yaml"),
    "airflow as lines": ("a=postgres://b\n", "export.env"),
}


@pytest.mark.parametrize(("text", "name"), SIGNS.values(), ids=SIGNS)
def test_a_file_is_known_by_what_it_says(
    text: str, name: str, request: pytest.FixtureRequest
) -> None:
    wanted = {"a line": "crontab", "a script": "restic", "borgmatic's include": "borgmatic"}
    case = request.node.callspec.id
    assert tool_of(text, name) == wanted.get(case, case.partition(" ")[0])


def test_what_is_of_no_tool_asks_which() -> None:
    with pytest.raises(ConfigError, match="it cannot be told which tool") as caught:
        tool_of("dear diary", "diary.txt")
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("--tool")


def test_the_zone_of_the_machine(tmp_path: Path) -> None:
    assert machine_timezone({"TZ": ":Asia/Tokyo"}, root=tmp_path) == "Asia/Tokyo"
    assert machine_timezone({"TZ": "nonsense/x"}, root=tmp_path) is None
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "localtime").symlink_to("/usr/share/zoneinfo/Europe/Vienna")
    assert machine_timezone({}, root=tmp_path) == "Europe/Vienna"
    (tmp_path / "etc" / "timezone").write_text("Europe/Berlin\n")
    assert machine_timezone({}, root=tmp_path) == "Europe/Berlin"
