"""What a schedule may say about a program of one's own."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_validator,
)

from airflow_backup.core.process.environment import is_steering
from airflow_backup.core.text.names import quoted
from airflow_backup.core.words import Kind
from airflow_backup.schedules.model.base import WHOLE, AbsolutePath, Duration, Model
from airflow_backup.schedules.model.sources import EngineOptions
from airflow_backup.schedules.schema.asked import asked

Flag = Annotated[str, Field(pattern=r"^--?[A-Za-z0-9][A-Za-z0-9_-]*=?$")]
"""An option of a program; one that ends in ``=`` is written together with its value."""

Scalar = StrictBool | StrictInt | StrictFloat | StrictStr
Argument = Scalar | list[StrictInt | StrictFloat | StrictStr]
ParameterName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


def _steers_nothing(name: str) -> str:
    if is_steering(name):
        raise ValueError(f"the variable {quoted(name)} would make the program run something else")
    return name


VariableName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$"), AfterValidator(_steers_nothing)]

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


class Parameter(Model):
    """One parameter of a workflow: its flag, and what its value may be."""

    flag: Flag
    """The option of the program, for example `-n` or `--name=`."""

    type: Literal["string", "integer", "number", "boolean"] = "string"
    """The type of the value; a `boolean` gives the flag alone when it is true."""

    many: bool = False
    """Whether a list may be given; the flag is repeated for each value."""

    choices: list[Scalar] = []
    """What the value may be; anything of the type when empty."""

    required: bool = False
    """Whether a value must be given."""

    def problem_of(self, value: Argument) -> str | None:
        """Say why ``value`` does not fit; None when it does."""
        if isinstance(value, list) and not self.many:
            return "takes one value, not a list"
        for each in value if isinstance(value, list) else [value]:
            is_bool = isinstance(each, bool)
            if not isinstance(each, _TYPES[self.type]) or is_bool != (self.type == "boolean"):
                return f"{quoted(each)} is not of type {self.type}"
            if self.choices and each not in self.choices:
                return f"{quoted(each)} is not one of {', '.join(map(str, self.choices))}"
        return None


class Workflow(Model):
    """A program and the parameters that it takes."""

    command: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
    """The program's path and its fixed arguments, as a list: no shell reads it."""

    parameters: dict[ParameterName, Flag | Parameter] = {}
    """By name, the flag of each parameter, or its flag and type."""

    @model_validator(mode="after")
    def _the_program_is_a_path(self) -> Workflow:
        if not self.command[0].startswith("/"):
            raise ValueError(f"the program {quoted(self.command[0])} is not an absolute path")
        return self


class CommandOptions(EngineOptions):
    """What a program of one's own writes: a workflow with typed parameters, never a shell."""

    engine: Literal["command"]
    """Which engine reads the source."""

    workflow: Workflow
    """The program and its parameters. It must be on the list `[backup] allowed_commands` of Airflow."""

    arguments: dict[ParameterName, Argument] = {}
    """The values of the parameters of this schedule."""

    environment: dict[VariableName, str] = {}
    """Variables for the program, none that steer a loader, a shell or an interpreter. Not for secrets."""

    secrets: dict[VariableName, str] = {}
    """Variables that hold the password of an Airflow connection; masked in all that is kept."""

    timeout: Annotated[Duration, asked("End it after", usual=False)] = timedelta(minutes=30)
    """End the program, and fail, when it runs longer."""

    output: Annotated[
        list[AbsolutePath], Field(max_length=1000), asked("What it writes", usual=False)
    ] = []
    """Files and folders that the program writes; they are stored, and must be there when it ends."""

    success_codes: list[Annotated[int, Field(ge=0, le=255), WHOLE]] = [0]
    """The exit codes that mean success."""

    folder: Annotated[AbsolutePath | None, asked("Runs in the folder", usual=False)] = None
    """The folder in which the program runs."""

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds that can be taken of this source."""
        return frozenset({Kind.FULL})

    @model_validator(mode="after")
    def _arguments_fit_the_parameters(self) -> CommandOptions:
        known = self.workflow.parameters
        for name, value in self.arguments.items():
            if name not in known:
                raise ValueError(
                    f"`arguments` has {quoted(name)}, and the workflow takes {_names(known)}"
                )
            parameter = known[name]
            problem = parameter.problem_of(value) if isinstance(parameter, Parameter) else None
            if problem is not None:
                raise ValueError(f"the argument {quoted(name)}: {problem}")
        for name, parameter in known.items():
            if (
                isinstance(parameter, Parameter)
                and parameter.required
                and name not in self.arguments
            ):
                raise ValueError(f"`arguments` lacks {quoted(name)}, which the workflow needs")
        return self

    @model_validator(mode="after")
    def _no_value_looks_like_an_option(self) -> CommandOptions:
        for name, value in self.arguments.items():
            parameter = self.workflow.parameters[name]
            flag = parameter.flag if isinstance(parameter, Parameter) else parameter
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, str) and each.startswith("-") and not flag.endswith("="):
                    raise ValueError(
                        f"the argument {quoted(name)} begins with '-' and would be read as an option; "
                        f"end its flag in '=' if the program takes {flag}=VALUE"
                    )
        return self

    @property
    def local_paths(self) -> tuple[str, ...]:
        """What the program writes for us to store, and the folder in which it runs."""
        return (*self.output, *(() if self.folder is None else (self.folder,)))

    @property
    def own_program(self) -> str:
        """The program of the workflow."""
        return self.workflow.command[0]

    @property
    def own_variables(self) -> tuple[str, ...]:
        """The variables that the schedule sets, those with secrets too."""
        return (*self.environment, *self.secrets)

    def summary(self) -> str:
        """Name the program."""
        return self.workflow.command[0]

    def command_line(self) -> list[str]:
        """
        Return the argument list.

        >>> CommandOptions(
        ...     engine="command",
        ...     workflow={"command": ["/bin/x"], "parameters": {"number": "-n", "regions": "-r",
        ...               "no_purge": "--no-purge", "name": "--name="}},
        ...     arguments={"number": 3, "regions": ["eu", "us"], "no_purge": True, "name": "a"},
        ... ).command_line()
        ['/bin/x', '-n', '3', '-r', 'eu', '-r', 'us', '--no-purge', '--name=a']
        """
        line = list(self.workflow.command)
        for name, parameter in self.workflow.parameters.items():
            flag = parameter.flag if isinstance(parameter, Parameter) else parameter
            if name in self.arguments:
                line += _given(flag, self.arguments[name])
        return line


def _given(flag: str, value: Argument) -> list[str]:
    if isinstance(value, list):
        return [part for each in value for part in _given(flag, each)]
    if isinstance(value, bool):
        return [flag.removesuffix("=")] if value else []
    return [f"{flag}{value}"] if flag.endswith("=") else [flag, str(value)]


def _names(known: dict[str, Any]) -> str:
    return ", ".join(map(repr, known)) or "no parameters"
