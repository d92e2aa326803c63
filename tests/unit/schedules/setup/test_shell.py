"""What of a shell script can be told without running it."""

from __future__ import annotations

import pytest

from airflow_backup.core.errors import ConfigError
from airflow_backup.schedules.setup.foreign.shell.follow import Shell

SCRIPTS = {
    "quotes": ("""tar 'a b' "c 'd'" e\\ f $'g'""", ["a b", "c 'd'", "e f", "g"]),
    "continued": ("tar a \\\n  b # not c\n", ["a", "b"]),
    "variables": ('A=/x; B="$A/y z"; tar "$B" ${A}/w ${N:-/d}', ["/x/y z", "/x/w", "/d"]),
    "unquoted falls apart": ('K="--a --b=1"; tar $K', ["--a", "--b=1"]),
    "arrays": ('L=(a "b c")\nL+=(d)\ntar "${L[@]}"', ["a", "b c", "d"]),
    "braces": (
        "tar --x={'/a b',c}{1,2} {z}",
        ["--x=/a b1", "--x=/a b2", "--x=c1", "--x=c2", "{z}"],
    ),
    "home": ("tar ~ ~/x $HOME/y '~'", ["/home/me", "/home/me/x", "/home/me/y", "~"]),
    "only a shell knows": ('tar $(date "+%F )") `x` $1 ${A%x} $NO ~other', [None] * 6),
    "half of it": ('tar "/b/$(date).tgz"', [None]),
    "secrets": ("DB_PASSWORD=/x; API_TOKEN=y\ntar $DB_PASSWORD ${API_TOKEN}", [None, None]),
    "wrapped": ("sudo -E -u me nice -n 19 flock -n /l timeout 5m env A=1 tar a", ["a"]),
    "a shell in a shell": ("""su - me -c "bash -c 'tar a'" """, ["a"]),
    "redirected": ("tar a >/x 2>&1 <y >>'z' &", ["a"]),
    "here-document": ("cat <<X >/y\ntar no\n\tX\ntar no\nX\ntar a", ["a"]),
    "conditions": ("if [ -d /x ]; then tar a; fi", ["a"]),
    "a function": ("do_it() {\n  tar a\n}\ndo_it", ["a"]),
}


def told(text: str) -> list[list[str | None]]:
    commands = Shell({}, home="/home/me").commands(text)
    return [
        [each.text if each.is_known else None for each in command.arguments]
        for command in commands
        if command.program == "tar"
    ]


@pytest.mark.parametrize(("text", "arguments"), SCRIPTS.values(), ids=SCRIPTS)
def test_the_words_of_a_command(text: str, arguments: list[str | None]) -> None:
    assert told(text) == [arguments]


def test_a_loop_over_words_is_written_out() -> None:
    text = "for a in x 'y z'; do for b in 1 2; do tar $a$b; done; done; tar end"
    assert told(text) == [["x1"], ["x2"], ["y z1"], ["y z2"], ["end"]]


def test_the_lines_of_commands() -> None:
    text = "# one\ntar a \\\n b\n\nX='\n'\ncat <<E\nE\ntar c"
    lines = [each.line for each in Shell({}, home=None).commands(text) if each.program == "tar"]
    assert lines == [2, 9]


def test_the_last_of_a_pipe_says_where_it_goes() -> None:
    (command,) = Shell({}, home=None).commands("pg_dump a 2>/e")
    assert command.outputs == ()
    first, *_ = Shell({}, home=None).commands("pg_dump a 2>/e | gzip -9 | tee x > /b/a.gz")
    assert [each.text for each in first.outputs] == ["/b/a.gz"]


@pytest.mark.parametrize(
    "text",
    {
        "open quote": "tar 'a",
        "open bracket": "tar $(a (b",
        "open braces": "tar ${a",
        "brackets alone": "((((((",
        "arrays in arrays": "a=(" * 5000,
        "loops in loops": "for a in 1 2 3 4 5 6 7 8 9; do " * 60 + "tar $a",
        "operators": "|&;<>()" * 2000,
        "a long line": "tar " + "a " * 100_000,
        "many braces": "tar " + "{a,b}" * 60,
        "a shell in a shell in a shell": "bash -c 'bash -c \"bash -c x\"'" * 200,
        "backslash at the end": "tar \\",
        "a here-document without end": "cat <<X\ntar a",
    }.values(),
)
@pytest.mark.timeout(20)
def test_whatever_a_file_holds_is_read_to_its_end(text: str) -> None:
    try:
        list(Shell({}, home=None).commands(text))
    except ConfigError as error:
        assert "more than 5000 commands" in error.message  # noqa: PT017  # either way it ends


@pytest.mark.parametrize(
    ("words", "inside"),
    {
        "docker": ("docker exec -i -e A=1 db pg_dump shop", "the container 'db'"),
        "compose": ("docker compose -f x.yaml exec -T db pg_dump shop", "the container 'db'"),
        "kubectl": ("kubectl -n x exec pod -- pg_dump shop", "the container 'pod'"),
        "ssh": ("ssh -i key me@db 'pg_dump shop'", "the machine 'db'"),
    }.values(),
)
def test_where_a_command_runs_is_said(words: str, inside: str) -> None:
    (command,) = Shell({}, home=None).commands(words)
    assert (command.program, command.inside) == ("pg_dump", inside)
