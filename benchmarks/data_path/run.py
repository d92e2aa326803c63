"""
Backs up and restores the same data with ours, `tar | zstd`, restic and borg, side by side.

``python benchmarks/data_path/run.py [--rounds 3]``. Tools take turns within a round, so that
whatever else the machine does meets all of them; figures are medians. Needs about 30 GB, 12 of
them where `BENCHMARK_WORK` points to: /dev/shm/work leaves a busy disk out of the picture.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import data

from airflow_backup.catalog import Catalog

HERE = Path(__file__).parent
sys.path.insert(0, str(Path(__file__).parents[1]))

from measured import measured_at

DATA = HERE.parent / "data"
WORK = Path(os.environ.get("BENCHMARK_WORK", DATA / "work"))
LEFT_OUT: set[str] = set()
SECRET = {"RESTIC_PASSWORD": "x", "BORG_PASSPHRASE": "x", "BORG_BASE_DIR": str(WORK / "borg-home")}
# An installed package has its bytecode; borg's has it too.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


class Measured:
    """Seconds, peak memory and bytes stored of each step of each tool, round by round."""

    def __init__(self) -> None:
        self.seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
        self.memory: dict[str, int] = defaultdict(int)
        self.stored: dict[tuple[str, str], int] = {}

    def run(self, step: str, tool: str, command: list[str], place: Path) -> None:
        """Run one command."""
        before = _size(place)
        begun = time.monotonic()
        child = subprocess.Popen(
            command, env=os.environ | SECRET, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        assert child.stderr is not None
        errors = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(f"{command}: {errors.decode()}")
        seconds = time.monotonic() - begun
        self.seconds[step, tool].append(seconds)
        self.memory[tool] = max(self.memory[tool], usage.ru_maxrss // 1024)
        self.stored[step, tool] = _size(place) - before
        print(f"{step:40} {tool:10} {seconds:7.2f} s", flush=True)

    def median(self, step: str, tool: str) -> float | None:
        """Return the median of a step."""
        found = self.seconds.get((step, tool))
        return statistics.median(found) if found else None


def _size(place: Path) -> int:
    return sum(path.lstat().st_size for path in place.rglob("*") if path.is_file())


Command = Callable[[str, Path, Path], list[str]]


def ours(verb: str, source: Path, place: Path) -> list[str]:
    """Ours."""
    script = str(HERE / "ours.py")
    if verb == "restore":
        return [sys.executable, script, "restore", "full", str(source), str(place)]
    return [sys.executable, script, "dump", verb, str(source), str(place)]


def tar(verb: str, source: Path, place: Path) -> list[str]:
    """Two programs and a pipe; they know no incrementals."""
    file = place / "archive.tar.zst"
    place.mkdir(exist_ok=True)
    if verb == "restore":
        source.mkdir()
        line = f"zstd -dcq {file} | tar -x -C {source}"
    else:
        line = f"tar -c -C {source} . | zstd -T2 -3 -q -f -o {file}"
    return ["bash", "-o", "pipefail", "-c", line]


def restic(verb: str, source: Path, place: Path) -> list[str]:
    """restic, its repository made beforehand."""
    common = ["restic", "-q", "-r", str(place), "--cache-dir", str(WORK / "restic-cache")]
    if verb == "restore":
        return [*common, "restore", "latest", "--target", str(source)]
    return [*common, "backup", str(source)]


def borg(verb: str, source: Path, place: Path) -> list[str]:
    """borg, compressing with zstd."""
    if verb == "restore":
        source.mkdir()
        last = f"cd {source} && borg extract {place}::$(borg list --last 1 --short {place})"
        return ["bash", "-c", last]
    return ["borg", "create", "-C", "zstd,3", f"{place}::{time.time_ns()}", str(source)]


def tools() -> dict[str, Command]:
    """Return those that are installed, and not left out."""
    every: dict[str, Command] = {"ours": ours, "tar | zstd": tar, "restic": restic, "borg": borg}
    return {
        name: command
        for name, command in every.items()
        if (name in ("ours", "tar | zstd") or shutil.which(name)) and name not in LEFT_OUT
    }


def prepare(tool: str, place: Path) -> None:
    """Make an empty repository, and what belongs to it: the tools' own keys, or our catalog."""
    shutil.rmtree(place, ignore_errors=True)
    if tool == "ours":
        place.mkdir()
        Catalog.open(f"sqlite:///{place}/catalog.db").close()
    init = {
        "restic": ["restic", "-q", "-r", str(place), "init"],
        "borg": ["borg", "init", "-e", "repokey-blake2", str(place)],
    }.get(tool)
    if init:
        subprocess.run(init, env=os.environ | SECRET, check=True, capture_output=True)


def warm(source: Path) -> None:
    """Read all of the source: borg tells the kernel to forget what it has read."""
    subprocess.run(["bash", "-c", f"tar -c -C {source} . | cat > /dev/null"], check=True)


def in_turn(number: int) -> dict[str, Command]:
    """Return the tools, another one first in each round: whoever restores last has most memory."""
    every = list(tools().items())
    at = number % len(every)
    return dict(every[at:] + every[:at])


def one_round(measured: Measured, name: str, number: int) -> None:
    """Take every tool through a full set, nothing changed, one percent changed, and a restore."""
    source = DATA / name
    places = {tool: WORK / f"{tool.split()[0]}-{name}" for tool in tools()}
    for tool, command in in_turn(number).items():
        prepare(tool, places[tool])
        warm(source)
        measured.run(f"{name}: full", tool, command("full", source, places[tool]), places[tool])
    steps: dict[str, Callable[[], None]] = {
        "nothing changed": lambda: None,
        "1 % changed": lambda: CHANGES[name](source, 1000 + number),
    }
    for step, change in steps.items():
        change()
        for tool, command in in_turn(number).items():
            if tool != "tar | zstd":
                warm(source)
                place = places[tool]
                line = command("incremental", source, place)
                measured.run(f"{name}: {step}", tool, line, place)
    for tool, command in in_turn(number).items():
        target = WORK / "restored"
        shutil.rmtree(target, ignore_errors=True)
        line = command("restore", target, places[tool])
        measured.run(f"{name}: restore", tool, line, places[tool])
        shutil.rmtree(target)
        shutil.rmtree(places[tool])


CHANGES: dict[str, Callable[[Path, int], None]] = {
    "small": data.change_small,
    "large": data.change_large,
}
GOALS = {
    "small: full": {"restic": 2.0, "tar | zstd": 0.8},
    "small: nothing changed": {"restic": 1.5},
    "small: restore": {"restic": 2.0},
    "large: full": {"restic": 2.5, "tar | zstd": 1.0},
    "large: 1 % changed": {"restic": 4.0},
    "large: restore": {"restic": 1.2},
}


def page(measured: Measured, rounds: int) -> str:
    """Return the results."""
    names = list(tools())
    lines = [
        "# Moving bytes: results",
        "",
        machine(rounds),
        "",
        "Versions: " + "; ".join(version(name) for name in names) + ".",
        "",
        "| step | " + " | ".join(f"{name}, s" for name in names) + " | ours stored, MB | goals |",
        "|---|" + "---|" * (len(names) + 2),
    ]
    for step in dict.fromkeys(step for step, _ in measured.seconds):
        cells = [_cell(measured.median(step, name)) for name in names]
        stored = measured.stored[step, "ours"] / 1e6
        goals = "; ".join(_goal(measured, step, tool, goal) for tool, goal in _goals(step))
        lines.append(f"| {step} | " + " | ".join(cells) + f" | {stored:,.1f} | {goals} |")
    named = [name for name in names if name != "tar | zstd"]  # a shell that runs both
    peaks = ", ".join(f"{name} {measured.memory[name]} MiB" for name in named)
    start = "Every step is a process of its own, and its start counts (0.4 s of Python for ours)."
    lines += ["", f"Peak memory over all steps: {peaks}. {start}", ""]
    return "\n".join(lines).replace("tar | zstd", "tar \\| zstd")


def machine(rounds: int) -> str:
    return (
        f"{measured_at()}. Medians of {rounds} rounds, "
        f"warm cache, repositories and restored files in {WORK}, other work on the machine: "
        "ratios count, seconds do not."
    )


def _goals(step: str) -> list[tuple[str, float]]:
    return [(tool, goal) for tool, goal in GOALS.get(step, {}).items() if tool in tools()]


def _goal(measured: Measured, step: str, tool: str, goal: float) -> str:
    mine, theirs = measured.median(step, "ours"), measured.median(step, tool)
    if mine is None or theirs is None:
        return ""
    ratio = theirs / mine
    return f"{'reached' if ratio >= goal else '**missed**'}: {ratio:.2f} × {tool} (goal {goal})"


def _cell(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.2f}"


def version(name: str) -> str:
    if name == "ours":
        return "ours from this checkout"
    program = {"tar | zstd": "zstd"}.get(name, name)
    argument = "version" if program == "restic" else "--version"
    told = subprocess.run([program, argument], capture_output=True, text=True, check=True).stdout
    return told.strip().splitlines()[0].replace("***", "").strip()


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["small", "large"])
    parser.add_argument("--results", type=Path, default=HERE / "results.md")
    parser.add_argument("--without", action="append", default=[], help="leave a tool out")
    arguments = parser.parse_args()
    LEFT_OUT.update(arguments.without)
    DATA.mkdir(exist_ok=True)
    WORK.mkdir(exist_ok=True)
    data.make(DATA)
    measured = Measured()
    for name in ["small", "large"] if arguments.only is None else [arguments.only]:
        for number in range(arguments.rounds):
            one_round(measured, name, number)
    arguments.results.write_text(page(measured, arguments.rounds))
    print(arguments.results.read_text())


if __name__ == "__main__":
    main()
