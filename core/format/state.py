"""
What engines keep in the ``state`` of a manifest, as models: whoever may write to a repository may have written it.

An engine says by ``state_model`` of what form its state is. It is checked once, when a manifest is read, so that
no engine meets a text where it counts, or a path where it expects a name.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from airflow_backup.core.errors import VerifyError
from airflow_backup.core.format.manifest import Manifest
from airflow_backup.core.text.names import shown_path

Link = Annotated[int, Field(ge=0, le=1_000_000)]
"""How many sets lie below one."""

Amount = Annotated[int, Field(ge=0, le=2**60)]
"""Bytes, or positions in something made of bytes."""

PlainName = Annotated[str, Field(pattern=r"^[^/\x00-\x1f\x7f]{1,255}$")]
"""The name of a file, without a folder."""

Name = Annotated[str, Field(pattern=r"^[^\x00]{1,255}$")]
"""The name of a database or a role; whoever puts it into a statement quotes it."""

Place = Annotated[str, Field(pattern=r"^[^\x00]{0,4096}$")]
"""The path or the address that something was read from; never one to read from."""


class SetState(BaseModel):
    """The base: values have the type that they are said to have, and keys of later releases are passed over."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


def check_state(manifest: Manifest, model: type[BaseModel]) -> None:
    """Raise VerifyError where the state of a set is not of the form that its engine gives it."""
    try:
        model.model_validate(manifest.state, context={"kind": manifest.kind})
    except ValidationError as error:
        first = error.errors()[0]
        where = shown_path(("state", *first["loc"]))
        raise VerifyError(
            f"the manifest of set '{manifest.set_id}' is not one of the engine {manifest.engine}: "
            f"{where}: {first['msg']}"[:500],
            hint="was it edited by hand?",
        ) from error
