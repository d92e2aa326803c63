"""What a form asks for a source comes from the engine's own model, and fits what the model takes."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, create_model

from airflow_backup.core.installed.engines import built_in
from airflow_backup.engine import AbsolutePath, ConnectionId, EngineOptions, Model, asked
from airflow_backup.schedules.model.base import Duration, Size
from airflow_backup.schedules.model.sources import options_model
from airflow_backup.schedules.schema.form import Choice, Option, options_of


class Speed(StrEnum):
    SLOW = "slow"
    FAST = "fast"


class Drive(Model):
    number: int


class TapeOptions(EngineOptions):
    """A tape, with an option of each kind."""

    engine: Literal["tape"]
    """Which engine reads the source."""

    reel: ConnectionId
    """Which reel."""

    file: Annotated[
        AbsolutePath | None, asked("File", example="/a, /b", required=True, several="files")
    ] = None
    """What lies on it."""

    files: list[AbsolutePath] | None = None
    speed: Speed = Speed.SLOW
    side: Annotated[
        Literal["a", "b"] | None, asked("Which side", usual=False, words={"a": "the first"})
    ] = None
    rewind: bool = True
    tracks: Annotated[int, Field(ge=1)] = 4
    gain: float | None = None
    limit: Size | None = None
    patience: Duration = timedelta(minutes=90)
    labels: list[str] = Field(["old", "new"])
    numbers: list[int] | None = None
    gains: tuple[float, ...] = (1.5, 2)
    speeds: list[Speed] = Field(default_factory=lambda: [Speed.FAST])
    owner: str | None = "root"
    drive: Drive | None = None
    drives: dict[str, Drive] | None = None
    anything: Any = None


@pytest.fixture(scope="module")
def tape() -> dict[str, Option]:
    return {option.key: option for option in options_of(TapeOptions)}


def test_every_option_has_the_kind_of_field_that_holds_it(tape: dict[str, Option]) -> None:
    assert {key: option.kind for key, option in tape.items()} == {
        "reel": "text",
        "file": "list",  # `files` is written by the same field
        "speed": "choice",
        "side": "choice",
        "rewind": "switch",
        "tracks": "number",
        "gain": "number",
        "limit": "text",
        "patience": "text",
        "labels": "list",
        "numbers": "numbers",
        "gains": "numbers",
        "speeds": "list",
        "owner": "yaml",  # an empty field could mean null, or what is usual
        "drive": "yaml",
        "drives": "yaml",
        "anything": "yaml",
    }


def test_what_is_required_or_asked_stands_first_and_the_rest_apart(tape: dict[str, Option]) -> None:
    assert [key for key, option in tape.items() if option.is_usual] == ["reel", "file"]
    assert [key for key, option in tape.items() if option.required] == ["reel", "file"]


def test_labels_words_and_defaults_are_those_of_the_model(tape: dict[str, Option]) -> None:
    assert (tape["file"].label, tape["file"].example) == ("File", "/a, /b")
    assert (tape["reel"].label, tape["reel"].description) == ("Reel", "Which reel.")
    assert tape["side"].label == "Which side"
    assert tape["side"].choices == (
        Choice(value="a", label="the first"),
        Choice(value="b", label="b"),
    )
    assert [each.value for each in tape["speed"].choices] == ["slow", "fast"]
    assert {key: tape[key].default for key in ("speed", "rewind", "tracks", "labels")} == {
        "speed": "slow",
        "rewind": True,
        "tracks": 4,
        "labels": ["old", "new"],
    }
    assert tape["patience"].default == "1h30m"
    assert tape["gains"].default == [1.5, 2]
    assert tape["speeds"].default == ["fast"]


def test_a_model_whose_source_nobody_can_read_has_a_form_too() -> None:
    made = create_model("Made", __base__=EngineOptions, reel=(str, ...))
    assert [option.key for option in options_of(made)] == ["reel"]


def test_a_model_within_a_function_tells_what_its_options_are_for() -> None:
    class Inner(EngineOptions):
        """
        A text that begins at the left.
        """

        engine: Literal["inner"]
        reel: str
        """Which
reel."""

    assert [option.description for option in options_of(Inner)] == ["Which\nreel."]


@pytest.mark.parametrize("engine", built_in())
def test_what_a_built_in_engine_asks_for_is_what_its_model_takes(engine: str) -> None:
    model = options_model(engine)
    assert model is not None
    options = options_of(model)
    keys = {option.key for option in options} | {option.several for option in options} - {None}
    assert keys == set(model.model_fields) - {"engine"}
    for option in options:
        assert option.label, option
        assert option.description, option
        if option.kind == "choice" and option.default is not None:
            assert option.default in [each.value for each in option.choices]
