"""
Airflow's configuration, read without Airflow: what Airflow would find, and never a secret in what is kept or said.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_backup.core.errors import BackupError, ConfigError, SourceError, VerifyError
from airflow_backup.core.format.manifest import Manifest
from airflow_backup.engines.airflow import kept_configuration
from airflow_backup.engines.airflow.bundles import bundles_of
from airflow_backup.engines.airflow.configuration import Configuration
from airflow_backup.engines.airflow.kept_configuration import read_kept, without_secrets
from airflow_backup.engines.airflow.secret_values import may_be_secret

SECRET = "canary-0451"


def read(folder: Path, text: str = "", **environ: str) -> Configuration:
    (folder / "airflow.cfg").write_text(text)
    return Configuration.read(None, {"AIRFLOW_HOME": str(folder), **environ})


def test_a_variable_counts_more_than_the_file_and_both_are_expanded(tmp_path: Path) -> None:
    text = "[core]\ndags_folder = $AIRFLOW_HOME/a\nplugins_folder = ${AIRFLOW_HOME}/50%%\n"
    found = read(tmp_path, text, AIRFLOW__CORE__DAGS_FOLDER="$AIRFLOW_HOME/50%")
    assert found.get("core", "dags_folder").text == f"{tmp_path}/50%"
    assert found.get("core", "plugins_folder").text == f"{tmp_path}/50%"
    assert found.get("core", "gone") == (None, None)


def test_what_programs_and_secrets_backends_say_is_unknown_and_nothing_is_run(
    tmp_path: Path,
) -> None:
    text = (
        f"[core]\nfernet_key_cmd = touch {tmp_path}/ran\n[database]\nsql_alchemy_conn_secret = x\n"
    )
    found = read(tmp_path, text)
    for section, option in (("core", "fernet_key"), ("database", "sql_alchemy_conn")):
        value = found.get(section, option)
        assert value.text is None
        assert "a program or a secrets backend" in (value.unknown or "")
    assert not (tmp_path / "ran").exists()
    by_variable = read(tmp_path, AIRFLOW__CORE__FERNET_KEY_CMD="false").get("core", "fernet_key")
    assert "AIRFLOW__CORE__FERNET_KEY_CMD" in (by_variable.unknown or "")


def test_the_variables_of_this_process_say_nothing_of_another_folder(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    told = {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__FERNET_KEY": "x"}
    assert Configuration.read(str(other), told).get("core", "fernet_key") == (None, None)
    assert Configuration.read(str(tmp_path), told).get("core", "fernet_key").text == "x"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (f"[core]\nword {SECRET}\n".encode(), "line 2 of"),
        (f"{SECRET} = 1\n".encode(), "line 1 of"),
        (f"[core]\na = {SECRET}\na = 2\n".encode(), "line 3 of"),
        (f"[core]\na = {SECRET}\n[core]\n".encode(), "line 3 of"),
        (f"[core]\npassword = {SECRET}\xe9\n".encode("latin-1"), "line 2 of"),
        ("[core]\na = 1\n".encode("utf-16"), "line 1 of"),
    ],
)
def test_a_file_that_airflow_could_not_read_is_named_by_its_line_and_not_quoted(
    data: bytes, said: str, tmp_path: Path
) -> None:
    (tmp_path / "airflow.cfg").write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        Configuration.read(str(tmp_path), {})
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_percent_sign_that_airflow_cannot_read_is_named_by_its_option(tmp_path: Path) -> None:
    found = read(tmp_path, f"[core]\ndags_folder = /srv/%s{SECRET}\n")
    with pytest.raises(ConfigError, match=r"\[core\] dags_folder") as caught:
        found.get("core", "dags_folder")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("kind", ["folder", "loop", "pipe"])
def test_a_file_that_cannot_be_read_is_an_error(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "airflow.cfg"
    if kind == "folder":
        place.mkdir()
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to(place)
    with pytest.raises(SourceError):
        Configuration.read(str(tmp_path), {})


class OneText:
    """A set that has nothing but a configuration."""

    def __init__(self, text: str) -> None:
        self.text = text.encode()
        facts: Any = {"set_id": "of-a-test", "pieces": ()}
        self.manifest = Manifest.model_construct(**facts)

    def blocks(self, stream: str, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        yield self.text[begin:end]


KEPT = """\
[core]
parallelism = 32
path = /srv/a1B2c3D4e5F6g7H8i9
json = {"a": 1,
	"b": 2}
percent = 50%%
colon: x
password = hunter2
[DEFAULT]
word = kept where it is
[odd section; name]
x = 1
"""


def test_what_is_kept_says_the_same_again_and_names_what_it_lacks(tmp_path: Path) -> None:
    told = {"AIRFLOW__CORE__PARALLELISM": "7", "AIRFLOW__MINE__URL": "http://a:b@c"}
    told |= {"AIRFLOW__TEAM___CORE__PARALLELISM": "8", "AIRFLOW__MINE__LINES": "a\n# b\n\nc"}
    found = read(tmp_path, KEPT, **told)
    kept = without_secrets(found)
    assert kept.left_out == [
        "core/password",
        "mine/lines",
        "mine/url",
        "AIRFLOW__TEAM___CORE__PARALLELISM",
    ]
    (tmp_path / "airflow.cfg").write_text(kept.text)
    again = Configuration.read(str(tmp_path), {})
    before = {each[:2]: each.raw for each in found.settings()}
    after = {each[:2]: each.raw for each in again.settings()}
    assert after == {key: raw for key, raw in before.items() if "/".join(key) not in kept.left_out}
    assert after["core", "parallelism"] == "7"
    assert after["DEFAULT", "word"] == "kept where it is"
    assert read_kept(OneText(kept.text)) == kept.text.encode()


@pytest.mark.parametrize(
    "line",
    [
        *("fernet_key_cmd = id", "Broker_URL_CMD = id", "password = x", "jwt_secret = x"),
        *("sql_alchemy_conn = sqlite:///mine", "fernet_key = x", "[oops"),
    ],
)
def test_a_configuration_that_brings_a_program_or_a_secret_is_not_restored(
    line: str, tmp_path: Path
) -> None:
    kept = without_secrets(read(tmp_path, "[core]\na = 1\n")).text
    with pytest.raises(VerifyError):
        read_kept(OneText(f"{kept}\n[more]\n{line}\n"))


def test_what_was_kept_comes_back_also_when_less_would_be_kept_today(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = without_secrets(read(tmp_path, "[mine]\nnickname = bob\n"))
    monkeypatch.setattr(kept_configuration, "may_be_secret", lambda *given, **more: True)
    assert without_secrets(read(tmp_path, "[mine]\nnickname = bob\n")).left_out == ["mine/nickname"]
    assert read_kept(OneText(kept.text)) == kept.text.encode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AIRFLOW__MINE__WORD", "a\rb"),
        ("AIRFLOW__MINE__WORD", "a\r[core]\rfernet_key_cmd = id"),
        ("AIRFLOW__MINE__WORD", "caf\udce9"),  # a byte that is no UTF-8
        ("AIRFLOW_CONN_\udce9", "x"),
        ("AIRFLOW_CONN_A\n[core]\nfernet_key_cmd = id", "x"),
    ],
)
def test_no_variable_makes_a_file_that_airflow_could_not_read(
    name: str, value: str, tmp_path: Path
) -> None:
    kept = without_secrets(read(tmp_path, "[core]\na = 1\n", **{name: value}))
    (tmp_path / "airflow.cfg").write_bytes(kept.text.encode())
    parser = ConfigParser()
    assert parser.read(tmp_path / "airflow.cfg", encoding="utf-8")  # as Airflow does
    assert {section: dict(parser[section]) for section in parser.sections()} == {"core": {"a": "1"}}
    assert len(kept.left_out) == 1
    assert read_kept(OneText(kept.text)) == kept.text.encode()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_airflow_ends_them(end: str, tmp_path: Path) -> None:
    (tmp_path / "airflow.cfg").write_bytes(
        f"[core]{end}a = 1{end}password = {SECRET}{end}".encode()
    )
    found = Configuration.read(str(tmp_path), {})
    parser = ConfigParser()
    parser.read(tmp_path / "airflow.cfg", encoding="utf-8")
    assert {each.option: each.raw for each in found.settings()} == dict(parser["core"])
    assert without_secrets(found).text.endswith("[core]\na = 1\n\n")


@pytest.mark.parametrize(
    "planted",
    [
        "# a comment\r[core]\rfernet_key_cmd = id\n",
        "#   core/x\r[core]\rfernet_key_cmd = id\n",
        "[more]\r\na = 1\r\n",
        "[more]\na = 1\n# old password: x\n",
        "[more]\na: 1\n\n",
    ],
)
def test_a_configuration_is_restored_as_it_was_kept_or_not_at_all(
    planted: str, tmp_path: Path
) -> None:
    head = without_secrets(read(tmp_path)).text
    for text in (head + planted, head[:-1] + planted, head[:-1] + planted + "\n"):
        with pytest.raises(VerifyError):
            read_kept(OneText(text))


def sensitive() -> Iterator[tuple[str, str]]:
    """What the Airflow that is installed, and its providers, call sensitive."""
    import airflow

    root = Path(airflow.__file__).parent
    described = yaml.safe_load((root / "config_templates" / "config.yml").read_text())
    for section, told in described.items():
        for option, about in told["options"].items():
            if about.get("sensitive"):
                yield section, option
    from airflow.providers_manager import ProvidersManager

    manager: Any = ProvidersManager

    for _, told in manager().provider_configs:
        for section, about in told.items():
            for option, facts in about["options"].items():
                if facts.get("sensitive"):
                    yield section, option


def test_whatever_airflow_calls_sensitive_is_left_out() -> None:
    found = list(sensitive())
    assert len(found) > 10
    # a class's name, and a switch: Airflow means what stands beside them
    known = {"asset_manager_class", "sentry_on"}
    kept = [each for each in found if not may_be_secret(each[1], "a-value-of-somebody's")]
    assert {option for _, option in kept} <= known


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("webhook_url", "https://hooks.example.com/services/x"),
        ("clientsecret", "abc"),
        ("password", "12345678"),
        ("url", "redis://:pw@host/0"),
        ("address", "https://h/?access_token=abc"),
        ("options", '{"AccountKey": "abc"}'),
        ("host", "user:hunter2@es:9200"),
        ("url", "redis://me:pa ss@h"),
        ("x", "Basic dXNlcjpwYXNz"),
        ("x", "Authorization=Bearer abc"),
        ("dbpass", "hunter2"),
        ("passcode", "x"),
        ("github_pat", "x"),
        ("kennwort", "hunter2"),
        ("psk", "a"),
        ("thing", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ("x", "cGFzc3dvcmQ="),
        ("transport", '{"type": "http", "auth": {"kind": "basic", "value": "hunter2"}}'),
        ("x", "host=db user=x passfile=/x"),
        ("x", '["password", "hunter2"]'),
        ("x", '{"user_pass\\u0077ord": "z"}'),
        ("x", "https://h/?sig=abc"),
        ("x", "https://h/f?code=abc"),
        ("x", "https://hooks.slack.com/services/T0/B0/XXXXXXXXXXXXXXXXXXXXXXXX"),
        ("x", "-----BEGIN PRIVATE KEY-----\nabc\n"),
        ("anything", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
        ("dag_bundle_config_list", '[{"kwargs": {"repo_url": "https://tok@github.com/a/b"}}]'),
    ],
)
def test_what_looks_like_a_secret_is_left_out(option: str, value: str) -> None:
    assert may_be_secret(option, value)


TIED = f"""\
[DEFAULT]
common = {SECRET}
[smtp]
foo = {SECRET}
bar = x%(foo)s
smtp_password = %(bar)s
about = %(foo)s, as above
percent = 50%%(foo)s
[passwords]
bob = {SECRET}
[mine]
scheme = redis:
place = //me:{SECRET}@host
address = %(scheme)s%(place)s
pw = %(common)s
[other]
foo = 1
"""


def test_what_a_secret_is_made_of_is_left_out_and_what_is_made_of_it(tmp_path: Path) -> None:
    kept = without_secrets(read(tmp_path, TIED, AIRFLOW__TOKENS__GITHUB=SECRET))
    assert SECRET not in kept.text
    (tmp_path / "airflow.cfg").write_text(kept.text)
    parser = ConfigParser()
    parser.read(tmp_path / "airflow.cfg")
    found = {section: dict(parser[section]) for section in parser.sections()}
    assert found == {"smtp": {"percent": "50%(foo)s"}, "other": {"foo": "1"}}
    assert "tokens/github" in kept.left_out
    assert read_kept(OneText(kept.text))


def test_what_airflow_describes_as_no_secret_is_kept() -> None:
    import airflow

    text = (Path(airflow.__file__).parent / "config_templates" / "config.yml").read_text()
    lost = {
        f"{section}/{option}"
        for section, told in yaml.safe_load(text).items()
        for option, about in told["options"].items()
        if not about.get("sensitive")
        and may_be_secret(option, str(about.get("default")), section=section)
    }
    assert lost <= {
        "core/asset_manager_kwargs",
        "core/simple_auth_manager_passwords_file",
        "api/client_ssl_cert",
        "api/client_ssl_key",
        "api/ssl_cert",
        "api/ssl_key",
        "api_auth/jwt_private_key_path",
        "scheduler/partition_mapper_max_downstream_keys",
    }


def test_a_value_of_megabytes_costs_no_time() -> None:
    begun = time.process_time()
    assert may_be_secret("x", "a" * 2**22)
    for text in (
        "a" * 20_000,
        "/" * 20_000,
        "a1B2" * 5000,
        "a: " * 6000,
        "a " * 10_000,
        "a:" * 10_000,
    ):
        may_be_secret("x", text)
    assert time.process_time() - begun < 5


def config_list(bundles: object) -> dict[str, str]:
    return {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles)}


LOCAL = "airflow.dag_processing.bundles.local.LocalDagBundle"


def test_bundles_are_local_or_named_and_plugins_are_a_folder(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    told: list[dict[str, Any]] = [
        {"name": "dags-folder", "classpath": LOCAL, "kwargs": {}},
        {"name": "../bi/é", "classpath": LOCAL, "kwargs": {"path": "$AIRFLOW_HOME/bi"}},
        {"name": "etl", "classpath": "x.GitDagBundle", "kwargs": {"repo_url": SECRET}},
    ]
    found = bundles_of(read(tmp_path, **config_list(told)))
    assert [tuple(each) for each in found.folders] == [
        ("bundle", "dags-folder", f"{tmp_path}/dags"),
        ("bundle", "%2E.%2Fbi%2F%C3%A9", f"{tmp_path}/bi"),
    ]
    assert [tuple(each) for each in found.elsewhere] == [("etl", "x.GitDagBundle")]
    (tmp_path / "plugins" / "x.py").write_text("")
    assert bundles_of(read(tmp_path)).folders[-1].use == "plugins"


def test_a_list_of_bundles_that_is_too_deep_is_refused(tmp_path: Path) -> None:
    deep = read(tmp_path, AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST="[" * 100_000)
    with pytest.raises(ConfigError, match="not a list of bundles"):
        bundles_of(deep)


@pytest.mark.parametrize(
    "bundles",
    [
        {"name": "a"},
        ["a"],
        [{"name": 1, "classpath": LOCAL}],
        [{"name": "a"}],
        [{"name": "a", "classpath": LOCAL, "kwargs": [SECRET]}],
        [{"name": "", "classpath": LOCAL}],
        [{"name": "a" * 300, "classpath": LOCAL}],
        [{"name": "a", "classpath": LOCAL, "kwargs": {"path": "relative"}}],
        [{"name": "a", "classpath": LOCAL}] * 2,
    ],
)
def test_a_list_of_bundles_that_means_nothing_is_refused(bundles: object, tmp_path: Path) -> None:
    with pytest.raises(BackupError) as caught:
        bundles_of(read(tmp_path, **config_list(bundles)))
    assert SECRET not in str(caught.value)
