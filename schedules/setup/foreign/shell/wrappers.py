"""Programs that start another program, which is the one that counts: ``sudo``, ``nice``, ``flock``, ``docker exec``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Inner:
    """Where the program that counts begins, or the script that is run instead."""

    skipped: int
    script: str | None = None
    inside: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)


_VALUED = {
    "sudo": "ugpChrtTRD",
    "doas": "uC",
    "nice": "n",
    "ionice": "cnp",
    "chrt": "",
    "nohup": "",
    "exec": "a",
    "command": "",
    "env": "uCS",
    "setsid": "",
    "timeout": "ks",
    "flock": "Ewc",
    "chronic": "",
    "cronic": "",
    "time": "fo",
    "stdbuf": "ioe",
    "systemd-cat": "tp",
    "systemd-inhibit": "",
    "runuser": "ugG",
    "gosu": "",
    "su-exec": "",
    "sshpass": "pfdeP",
    "taskset": "",
    "trickle": "udstlnL",
    "unbuffer": "",
    "systemd-run": "uptMEp",
    "proxychains": "f",
    "proxychains4": "f",
}
"""By program, the letters of its options that take the next word."""
_LONG_VALUED = {
    *("--env", "--env-file", "--user", "--workdir", "--namespace", "--container", "--index"),
    *("--group", "--chdir", "--unset", "--signal", "--kill-after", "--adjustment"),
}
_OPERANDS = {"timeout": 1, "flock": 1, "chrt": 1, "gosu": 1, "su-exec": 1, "taskset": 1}
_SHELLS = frozenset({"sh", "bash", "dash", "ksh", "zsh", "ash"})
_AS_USER = frozenset({"su", "runuser"})
_CONTAINERS = frozenset({"docker", "podman", "nerdctl", "docker-compose", "kubectl", "lxc"})
_DEEPEST = 8


def unwrapped(words: Sequence[str | None]) -> Inner:
    """
    Take off what only starts another program.

    >>> unwrapped(["sudo", "-u", "postgres", "nice", "-n", "19", "pg_dump", "shop"]).skipped
    6
    >>> unwrapped(["su", "-", "postgres", "-c", "pg_dump shop"]).script
    'pg_dump shop'
    >>> unwrapped(["docker", "exec", "-i", "db", "pg_dump", "shop"]).inside
    "the container 'db'"
    """
    skipped, inside = 0, ""
    variables: dict[str, str] = {}
    for _ in range(_DEEPEST):
        name = (words[skipped] or "").rpartition("/")[2] if skipped < len(words) else ""
        script = _script(name, words[skipped + 1 :])
        if script is not None:
            return Inner(skipped, script, inside, variables)
        place = _place(name, words, skipped)
        if place is not None:
            skipped, inside = place
        elif name == "command" and words[skipped + 1 : skipped + 2] in (["-v"], ["-V"]):
            break  # it only asks where a program is
        elif name in _VALUED:
            skipped = _after_options(words, skipped + 1, _VALUED[name]) + _OPERANDS.get(name, 0)
            while skipped < len(words) and (found := _VARIABLE.fullmatch(words[skipped] or "")):
                variables[found[1]] = found[2]
                skipped += 1
        else:
            break
        if inside and skipped < len(words) and skipped + 1 == len(words):
            return Inner(skipped, words[skipped], inside, variables)
    return Inner(skipped, None, inside, variables)


def is_shell(path: str) -> bool:
    """Whether a program runs what is written to it: a shell, here, as another user or elsewhere."""
    return path.rpartition("/")[2] in (*_SHELLS, *_AS_USER, "ssh", "sudo")


def _after_options(words: Sequence[str | None], position: int, valued: str) -> int:
    while position < len(words):
        word = words[position] or ""
        if word == "--":
            return position + 1
        if not word.startswith("-") or word == "-":
            return position
        # Letters may stand together, as in `sudo -iu postgres`; what follows one that takes a value is it.
        letters = "" if word.startswith("--") else word[1:]
        first = next((at for at, letter in enumerate(letters) if letter in valued), None)
        takes_next = first == len(letters) - 1 if letters else word in _LONG_VALUED
        position += 2 if takes_next else 1
    return position


def _script(name: str, rest: Sequence[str | None]) -> str | None:
    """Return the text that a shell is told to run by ``-c``, or by ``eval``."""
    if name == "eval":
        return None if None in rest else " ".join(each or "" for each in rest)
    if name not in _SHELLS and name not in _AS_USER and name != "flock":
        return None
    for position, word in enumerate(rest[:-1]):
        is_option = word is not None and re.fullmatch(r"-[a-z]*c|--command", word) is not None
        if is_option and (name in _AS_USER or name == "flock" or position < 4):
            return rest[position + 1] or ""
        if word is not None and not word.startswith("-") and name in _SHELLS:
            return None
    return None


def _place(name: str, words: Sequence[str | None], at: int) -> tuple[int, str] | None:
    """Return where a command inside a container, or on another machine, begins."""
    if name in _CONTAINERS:
        start = at + 1
        while start < min(len(words), at + 8) and words[start] not in ("exec", "run"):
            start += 1
        if start >= len(words) or words[start] != "exec":
            return None
        container = _after_options(words, start + 1, "uewnc")
        if container >= len(words):
            return None
        after = container + 1
        while after < len(words) and (words[after] == "--" or (words[after] or "").startswith("-")):
            after += 1
        return after, f"the container {_called(words[container])}"
    if name == "ssh":
        host = _after_options(words, at + 1, "bcDEeFIiJLlmOopQRSWw")
        if host + 1 < len(words):
            return host + 1, f"the machine {_called((words[host] or '').rpartition('@')[2])}"
    return None


def _called(name: str | None) -> str:
    """Quote a name that is one; what may be anything else, such as a variable with a password, is not shown."""
    return f"'{name}'" if name and re.fullmatch(r"[\w.-]+", name) else "that cannot be told"
