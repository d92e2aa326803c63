"""Shapes in which people really write their backups: no source is lost in silence, and nothing means something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_backup.core.errors import ConfigError
from airflow_backup.schedules.setup.answers import draft_of, repository_of, retention_of
from airflow_backup.schedules.setup.assemble import assembled
from airflow_backup.schedules.setup.document import document
from airflow_backup.schedules.setup.draft import Reading
from airflow_backup.schedules.setup.foreign import borgmatic, crontab, script
from airflow_backup.schedules.setup.foreign.read_all import Given, joined, read


def of_line(command: str) -> Reading:
    return crontab.read(f"0 2 * * * {command}", origin="c", home="/home/me")


def of_script(text: str) -> Reading:
    return script.read(f"#!/bin/sh\n{text}", origin="s", path="s", home="/home/me")


def of_borgmatic(text: str, folder: Path | None = None) -> Reading:
    return borgmatic.read(text, origin="b", folder=folder, home="/home/me")


def sources(found: Reading) -> list[str]:
    """Return what is saved, in a word for each."""
    said: list[str] = []
    for each in found.drafts:
        source = each.source
        said += source.get("paths") or [str(source.get("path") or source.get("database"))]
    return said


FOUND = {
    "a result that is kept": ("OUT=$(restic backup /x 2>&1)", ["/x"]),
    "a result that is tested": ("if ! out=`tar czf /b/x /srv`; then exit 1; fi", ["/srv"]),
    "in quotes": ('log "$(restic backup /x)"', ["/x"]),
    "where a program is": ('TAR=$(which tar)\n"$TAR" czf /b/x /srv', ["/srv"]),
    "where it is, otherwise": ('D="$(command -v pg_dump)"\n$D shop > /b/x', ["shop"]),
    "letters together": ("sudo -iu postgres pg_dump shop > /b/x", ["shop"]),
    "runuser": ("runuser -u postgres -- pg_dump shop > /b/x", ["shop"]),
    "eval": ("CMD='restic backup /y'\neval \"$CMD\"", ["/y"]),
    "a text for a shell": ("ssh h bash <<'E'\ntar czf /b/x /srv\nE", ["/srv"]),
    "a text for another user": ("su - postgres <<E\npg_dump shop > /b/x\nE", ["shop"]),
    "tar in two places": ("tar czf /b/x -C /srv a -C /etc b", ["/srv/a", "/etc/b"]),
    "a case": ("case $1 in\n a) pg_dump a;;\n *) pg_dump b;;\nesac", ["a", "b"]),
}


@pytest.mark.parametrize(("text", "wanted"), FOUND.values(), ids=FOUND)
def test_a_backup_in_a_script_is_found(text: str, wanted: list[str]) -> None:
    assert sources(of_script(text)) == wanted


NAMED = {
    "a wrapper of somebody": ("run restic backup /x", "restic"),
    "many at once": ("xargs -n1 pg_dump < /list", "pg_dump"),
    "a program in a variable": ('"$RESTIC" backup /x', "only a shell can tell its name"),
    "another program": ("7z a /b/x.7z /srv", "7z"),
    "physical copies": ("wal-g backup-push /x", "wal-g"),
    "pgBackRest": ("pgbackrest --stanza=a backup", "pgbackrest"),
    "borgmatic": ("borgmatic create", "borgmatic"),
    "another script": ("bash -e /opt/b.sh", "b.sh"),
    "a script by its path": ("/opt/backup-all", "backup-all"),
    "a list that is read": (
        "for d in /a; do :; done\nwhile read -r d; do tar czf /b/x $d; done < /l",
        "tar was not",
    ),
    "one of two": ("if [ $1 ]; then D=/a; else D=/b; fi\ntar czf /b/x $D", "tar was not"),
    "by a test": ("D=/a\n[ -n $1 ] && D=/b\ntar czf /b/x $D", "tar was not"),
    "by a case": ("case $1 in a) D=/a;; b) D=/b;; esac\ntar czf /b/x $D", "tar was not"),
    "what is taken back": ("rsync -a --exclude='+ keep' --exclude='*' /a/ /b", "rsync was not"),
    "a password with a space": ("mysqldump -u me -p Kanarienvogel shop", "mysqldump was not"),
}


@pytest.mark.parametrize(("text", "word"), NAMED.values(), ids=NAMED)
def test_what_cannot_be_told_of_a_script_is_named(text: str, word: str) -> None:
    found = of_script(text)
    assert found.drafts == ()
    assert any(word in each for each in found.notes)
    assert "Kanarien" not in str(found)


@pytest.mark.parametrize(
    "text",
    ["command -v restic >/dev/null", "echo restic backup", "apt-get install -y restic", "set -e"],
)
def test_what_only_speaks_of_a_program_is_not_named(text: str) -> None:
    assert of_script(text) == Reading()


@pytest.mark.parametrize("program", ["/usr/bin/pg_dump shop", "/usr/bin/tar czf /b/x /srv"])
def test_a_known_program_with_its_folder_is_nobodys_script(program: str) -> None:
    found = of_line(program)
    assert found.starts == ()
    assert len(found.drafts) == 1


def test_a_shell_with_options_starts_the_script_behind_them() -> None:
    (start,) = of_line("bash -x /opt/b.sh --full").starts
    assert start.job == "script:b.sh"


BY_THE_DAY = {
    r"[ $(date +\%d) -le 7 ] && pg_dump shop > /b/x": True,
    r"test `date +\%u` -eq 1 && pg_dump shop > /b/x": True,
    r"expr $(date +\%W) \% 2 >/dev/null || pg_dump shop > /b/x": True,
    r"pg_dump shop > /b/x-$(date +\%u)": False,
    r"[ -x /x ] && pg_dump shop > /b/x-$(date +\%F)": False,
}


@pytest.mark.parametrize(("command", "is_said"), BY_THE_DAY.items())
def test_a_time_that_the_command_tests_itself_is_said(command: str, *, is_said: bool) -> None:
    (draft,) = of_line(command).drafts
    assert any("depends on the day" in each for each in draft.notes) is is_said


EXCLUDED: dict[str, tuple[str, list[str] | None]] = {
    "tar, names below": ("tar czf /b/x -C / --exclude=var/cache var", ["**/var/cache", "/cache"]),
    "tar, absolute for relative names": ("tar czf /b/x -C /srv --exclude=/srv/a/b a", None),
    "tar, a folder's own content": ("tar czf /b/x -C /srv/a --exclude=a/b .", ["**/a/b"]),
    "rsync, with its name": ("rsync -a --exclude=a/b /srv/a /mnt", ["**/a/b", "/b"]),
    "rsync, its content": ("rsync -a --exclude=a/b /srv/a/ /mnt", ["**/a/b"]),
    "rsync, a rule": ("rsync -a --exclude='- *.o' /srv/a/ /mnt", ["*.o"]),
    "restic": ("restic backup --exclude a/b /srv/a", ["**/a/b", "/b"]),
}


@pytest.mark.parametrize(("command", "wanted"), EXCLUDED.values(), ids=EXCLUDED)
def test_no_more_is_left_out_than_there(command: str, wanted: list[str] | None) -> None:
    (draft,) = of_line(command).drafts
    assert draft.source.get("exclude") == wanted


def test_find_removes_only_as_deep_as_it_looks() -> None:
    text = "0 2 * * * tar czf /b/db/x.tgz /srv\n0 2 * * * tar czf /b/y.tgz /etc\n"
    text += "0 3 * * * find /b -maxdepth 1 -mtime +7 -delete\n"
    found = crontab.read(text, origin="c", home=None)
    assert [each.retention for each in found.drafts] == [None, {"within": "8d"}]


BORGMATIC: dict[str, tuple[str, dict[str, Any]]] = {
    "a folder to begin in": (
        "working_directory: /srv\nsource_directories: [wiki]",
        {"path": "/srv/wiki"},
    ),
    "what is omitted": ("source_directories: [/x, !omit /y]", {"path": "/x"}),
    "taken back below": (
        "patterns: ['R /home', '- **/*.o', '+ /home/susan/docs', '- /home/*']",
        {"path": "/home", "exclude": ["**/*.o"]},
    ),
    "taken back": (
        "patterns: ['R /home', '+ /home/susan', '- /home/*']",
        {"path": "/home", "exclude": ["/*", "!/susan"]},
    ),
}


@pytest.mark.parametrize(("text", "source"), BORGMATIC.values(), ids=BORGMATIC)
def test_folders_of_borgmatic(text: str, source: dict[str, Any]) -> None:
    (draft,) = of_borgmatic(text).drafts
    assert draft.source == {"engine": "files", **source}


def test_an_included_list_is_joined_as_the_tags_say(tmp_path: Path) -> None:
    (tmp_path / "common.yaml").write_text(
        "source_directories: [/etc, /srv]\nexclude_patterns: ['*.a', '*.b']\nkeep_daily: 7\n"
    )
    text = "<<: !include common.yaml\nsource_directories: !retain [/x]\nexclude_patterns: [!omit '*.a', '*.c']\n"
    (draft,) = of_borgmatic(text, tmp_path).drafts
    assert draft.source == {"engine": "files", "path": "/x", "exclude": ["*.b", "*.c"]}


@pytest.mark.parametrize(
    "text",
    [
        "source_directories: [wiki]",
        "source_directories: ['${DIR}']",
        "mysql_databases: [{name: '${DB}'}]",
    ],
)
def test_a_source_of_borgmatic_that_cannot_be_told_is_named(text: str) -> None:
    found = of_borgmatic(f"{text}\nsqlite_databases: [{{name: a, path: /a.db}}]")
    assert sources(found) == ["/a.db"]
    assert any("not carried over" in each for each in found.notes)


def test_each_configuration_of_borgmatic_runs_at_its_own_time() -> None:
    files = {
        "a.yaml": "source_directories: [/a]",
        "b.yaml": "source_directories: [/b]",
        "cron": "0 1 * * * borgmatic -c /e/a.yaml\n0 2 * * * borgmatic --config=/e/b.yaml create\n"
        "0 3 * * * borgmatic check\n0 4 * * * borgmatic prune --list",
    }
    readings = [
        read(
            Given(text, Path("/e") / name, "crontab" if name == "cron" else "borgmatic"), home=None
        )
        for name, text in files.items()
    ]
    drafts, notes = joined(readings)
    assert [(each.name, each.when["cron"]) for each in drafts] == [
        ("a", "0 1 * * *"),
        ("b", "0 2 * * *"),
    ]
    assert len(notes) == 2
    drafts, _ = joined([readings[0], of_line("borgmatic -c /elsewhere/config.yaml")])
    assert [each.when["cron"] for each in drafts] == ["0 2 * * *"]


@pytest.mark.parametrize(
    "text",
    [
        "0 2 * * * mysqldump -u me \\\n  -pKanarienvogel shop a b c > /b/x",
        "0 2 * * * bash PASSWORD=Kanarienvogel",
        "0 2 * * * '/opt/x.sh --key Kanarienvogel'",
    ],
)
def test_a_line_that_is_malformed_shows_nothing_of_itself(text: str) -> None:
    found = crontab.read(text, origin="c", home=None)
    drafts, notes = joined([found])
    assert notes
    assert "Kanarien" not in f"{drafts} {notes}"


def test_a_connection_whose_keys_are_no_names_is_named() -> None:
    found = read(
        Given("a: {2026-01-01: x}\nb: {? !!binary aaaa : y}\n", Path("/c"), "airflow"), home=None
    )
    assert sum("cannot be read" in each for each in found.notes) == 2


@pytest.mark.parametrize("text", ['x="$("$("$(' * 3000, "((" * 3000, "$(" * 30000])
def test_what_is_too_deep_is_refused(text: str) -> None:
    try:
        of_script(text)
    except ConfigError as error:
        assert "too deep" in error.message  # noqa: PT017  # either way it ends


@pytest.mark.parametrize(
    "text", ["daily: 2026-99-99", "[" * 5000, "? [a]", "daily: !!python/name:os.system", "x"]
)
def test_an_answer_that_is_no_retention_is_asked_for_again(text: str) -> None:
    with pytest.raises(ConfigError):
        retention_of(text)


def test_two_dots_behind_a_link_are_those_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "releases" / "3").mkdir(parents=True)
    (tmp_path / "current").symlink_to("releases/3")
    monkeypatch.chdir(tmp_path)
    real = tmp_path.resolve() / "releases" / "data"
    assert draft_of("files", "current/../data").source["path"] == str(real)
    assert repository_of("current/../data") == real.as_uri()
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(ConfigError, match="this folder is gone"):
        draft_of("files", "data")


@pytest.mark.parametrize(("text", "_"), [*FOUND.values(), *NAMED.values()])
def test_whatever_is_made_is_right(text: str, _: object) -> None:
    drafts, notes = joined([of_script(text)])
    plan = assembled(
        drafts,
        notes,
        origins=["s"],
        repository="file:///r",
        repository_connection=None,
        timezone="UTC",
        when={"preset": "daily"},
        retention=None,
    )
    assert len(plan.drafts) == len(drafts)
    assert "Kanarien" not in document(plan)
