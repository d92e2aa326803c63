"""
A whole real Airflow for tests: its own folder, ports, users and processes, all ended together.

    with AirflowHome(tmp_path / "airflow", schedules=text) as airflow:
        airflow.start()
        admin = airflow.client("admin")
        admin.post("backup/api/v1/schedules/wiki/run", json={})
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from support.airflow.reparse import Reparse

ROLES = ("admin", "op", "user", "viewer")
"""One user per role; the password is the name."""

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
LAUNCHER = "from airflow_backup.dags import generate\n\ngenerate(globals())  # an airflow dag for each schedule\n"
REPORTER = (
    "from airflow_backup.dags import report_errors\n\n"
    "report_errors(globals())  # airflow import errors of what is no dag\n"
)

_ARGUMENTS = {
    "scheduler": ["--skip-serve-logs"],
    "triggerer": ["--skip-serve-logs"],
}
_FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
_PATIENCE = 120.0
_GRACE = 5.0

T = TypeVar("T")


class _AskAgain(httpx.HTTPTransport):
    """Does what the page says when Airflow's database is busy: asks again, for a minute at most."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        deadline = time.monotonic() + 60
        while True:
            answer = super().handle_request(request)
            if answer.status_code != 503 or time.monotonic() > deadline:
                return answer
            if b"try again in a moment" not in answer.read():
                return answer
            time.sleep(1)


class AirflowHome:
    """One Airflow, embedded SQLite and LocalExecutor, whose processes end with this object."""

    def __init__(
        self,
        folder: Path,
        *,
        schedules: str = "version: 1\nschedules: []\n",
        environment: Mapping[str, str] | None = None,
        python: Path | None = None,
        auth: str = "simple",
    ) -> None:
        self.folder, self.auth = folder, auth
        self.python = python or Path(sys.executable)
        self.dags = folder / "dags"
        self.schedules = self.dags / "schedules.yaml"
        self.port = _free_port()
        self.environment = (
            _clean_environment(self.python) | self._settings() | dict(environment or {})
        )
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._reparse = Reparse()
        self.dags.mkdir(parents=True)
        self.schedules.write_text(schedules)
        (self.dags / "backup_dags.py").write_text(LAUNCHER)
        (self.dags / "schedule_errors.py").write_text(REPORTER)
        (folder / "passwords.json").write_text(json.dumps({role: role for role in ROLES}))

    @property
    def api_url(self) -> str:
        """The address of the API server, with a slash at its end."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def catalog_url(self) -> str:
        """The catalog's database."""
        return f"sqlite:///{self.folder / 'airflow_backup.db'}"

    @property
    def metadata_url(self) -> str:
        """Airflow's own database."""
        return f"sqlite:///{self.folder / 'airflow.db'}"

    def start(self, *components: str) -> None:
        """Start some processes, all when none is named; return when they are well."""
        wanted = components or COMPONENTS
        if not (self.folder / "airflow.db").exists():
            self.run("db", "migrate")
        if "dag-processor" in wanted:
            self._reparse.start(self.schedules)
        for component in wanted:
            self._processes[component] = self._spawn(component)
        if "api-server" in wanted:
            self.wait_for(self._answers, what="the API server to answer")
        for component in wanted:
            if component != "api-server":
                self.wait_for(self._beats(component), what=f"a heartbeat of the {component}")

    def stop(self, *components: str) -> None:
        """End processes, all when none is named, with everything that they started."""
        ending = [
            self._processes.pop(name)
            for name in components or tuple(self._processes)
            if name in self._processes
        ]
        for process in ending:
            _signal_group(process, signal.SIGTERM)
            _signal_group(process, signal.SIGCONT)
        deadline = time.monotonic() + _GRACE
        for process in ending:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
            # A scheduler may leave its executor's workers behind; the group is ended in any case.
            _signal_group(process, signal.SIGKILL)
            process.wait()

    def hold(self) -> None:
        """Let its processes do nothing, and cost nothing, until `go_on`."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let its processes work again."""
        self._signal(signal.SIGCONT)

    def pid(self, component: str) -> int:
        """Return the number of a process that was started, which is that of its group."""
        return self._processes[component].pid

    def run(self, *arguments: str) -> str:
        """Run an ``airflow`` command and return what it prints."""
        done = subprocess.run(
            [str(self.python), "-m", "airflow", *arguments],
            env=self.unmeasured(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,  # the assertion below shows what it said
        )
        assert done.returncode == 0, f"airflow {' '.join(arguments)}: {done.stderr[-2000:]}"
        return done.stdout

    def client(self, user: str | None) -> httpx.Client:
        """Return a client that is logged in as ``user``, or as nobody."""
        headers = {} if user is None else {"Authorization": f"Bearer {self.token(user)}"}
        return httpx.Client(
            base_url=self.api_url, headers=headers, timeout=60, transport=_AskAgain()
        )

    def add_users(self) -> None:
        """Make a user for each role, where the auth manager keeps them in Airflow's database."""
        for role in ROLES:
            self.add_user(role, role=role.capitalize())

    def add_user(self, name: str, *, role: str) -> None:
        """Make a user, whose password is the name."""
        self.run(
            *("users", "create", "--username", name, "--password", name, "--role", role),
            *("--email", f"{name}@example.com", "--firstname", name, "--lastname", name),
        )

    def token(self, user: str) -> str:
        """Log in and return the token."""
        answer = httpx.post(
            f"{self.api_url}auth/token", json={"username": user, "password": user}, timeout=60
        )
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def reserialize(self) -> None:
        """
        Let Airflow read the DAG files now.

        Its command fails where the DAG processor writes a new DAG at the same moment, and is then given once more.
        """
        for turn in range(5):
            try:
                self.run("dags", "reserialize")
            except AssertionError:
                if turn == 4:
                    raise
                time.sleep(1)
            else:
                return

    def wait_for(
        self, question: Callable[[], T | None], *, what: str, patience: float = _PATIENCE
    ) -> T:
        """Ask until the answer is neither None nor False; fail with the tails of the logs."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            answer = question()
            if answer is not None and answer is not False:
                return answer
            self._check_alive()
            time.sleep(0.25)
        raise AssertionError(f"waited {patience:.0f} s for {what}\n{self.logs()}")

    def logs(self) -> str:
        """Return the last lines of every process."""
        return "\n".join(
            f"--- {file.name}\n{file.read_text(errors='replace')[-3000:]}"
            for file in sorted(self.folder.glob("*.log"))
        )

    def unmeasured(self) -> dict[str, str]:
        """
        Return the environment without what measures which lines run.

        Most of what these processes run others run, too, and each task of theirs is one more process that is slower.
        """
        return {
            name: value
            for name, value in self.environment.items()
            if not name.startswith("COV_") and not name.startswith("COVERAGE_")
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._reparse.stop()
        self.stop()

    def _settings(self) -> dict[str, str]:
        settings = {
            "core__dags_folder": str(self.dags),
            "core__load_examples": "False",
            "core__parallelism": "4",
            "core__execution_api_server_url": f"{self.api_url}execution/",
            "core__simple_auth_manager_users": ",".join(f"{role}:{role}" for role in ROLES),
            "core__simple_auth_manager_passwords_file": str(self.folder / "passwords.json"),
            "api__base_url": self.api_url,
            "backup__source_roots": f"/srv,{self.folder.parent},{tempfile.gettempdir()}",
            "backup__repository_roots": f"/b,/srv,/var/backups,{self.folder.parent},{tempfile.gettempdir()}",
            "backup__allowed_queues": "nas",
            "api__secret_key": "a-secret-of-the-tests",
            "api_auth__jwt_secret": "another-secret-of-the-tests-which-is-long-enough-for-its-digest",
            "dag_processor__dag_bundle_storage_path": str(self.folder / "bundles"),
            "dag_processor__refresh_interval": "2",
            # Parsing all the time is nine tenths of what an Airflow costs that does nothing.
            "dag_processor__min_file_process_interval": "30",
            "database__sql_alchemy_conn": self.metadata_url,
            "logging__base_log_folder": str(self.folder / "logs"),
            "scheduler__enable_health_check": "False",
            "usage_data_collection__enabled": "False",
            "workers__execution_api_timeout": "60",
        }
        if self.auth == "fab":
            settings["core__auth_manager"] = _FAB
        prefixed = {f"AIRFLOW__{name.upper()}": value for name, value in settings.items()}
        return prefixed | {"AIRFLOW_HOME": str(self.folder), "TZ": "UTC"}

    def _spawn(self, component: str) -> subprocess.Popen[bytes]:
        arguments: Sequence[str] = _ARGUMENTS.get(component, [])
        if component == "api-server":
            arguments = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        with (self.folder / f"{component}.log").open("ab") as log:
            return subprocess.Popen(
                [str(self.python), "-m", "airflow", component, *arguments],
                env=self.environment if component == "api-server" else self.unmeasured(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes.values():
            _signal_group(process, number)

    def _check_alive(self) -> None:
        for name, process in self._processes.items():
            code = process.poll()
            assert code is None, f"airflow {name} ended with {code}\n{self.logs()}"

    def _answers(self) -> bool:
        return self._health() is not None

    def _beats(self, component: str) -> Callable[[], bool]:
        name = component.replace("-", "_")

        def beats() -> bool:
            health = self._health()
            return health is not None and health[name]["status"] == "healthy"

        return beats

    def _health(self) -> dict[str, Any] | None:
        try:
            answer = httpx.get(f"{self.api_url}api/v2/monitor/health", timeout=10)
        except httpx.TransportError:
            return None
        return dict(answer.json()) if answer.status_code == 200 else None


@contextmanager
def chromium(**options: Any) -> Iterator[Any]:
    """Start the machine's Chromium under Playwright's control."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path(),
            args=[
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
            **options,
        )
        try:
            yield browser
        finally:
            browser.close()


def chromium_path() -> str | None:
    """Find the machine's Chromium."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def require_chromium() -> None:
    """Skip the tests that need Chromium where there is none; in CI that is a failure."""
    import pytest  # the demo brings up the same Airflow, and tests nothing

    if chromium_path() is None:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no chromium on this machine")
        pytest.skip("there is no chromium on this machine: apt-get install chromium")


def _clean_environment(python: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    kept.pop("_AIRFLOW_PROCESS_CONTEXT", None)
    return kept | {
        "PATH": f"{python.parent}{os.pathsep}{kept.get('PATH', '')}",
        "PYTHONUNBUFFERED": "1",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
