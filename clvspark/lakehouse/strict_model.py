"""Strict typed configuration: what one value may be, and how several must agree."""

from __future__ import annotations

import typing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from clvspark.lakehouse.yaml_files import Place, Placed

Location = tuple[int | str, ...]
"""Keys and places in lists from a configuration to a value in it."""
Check = TypeVar("Check", bound="Callable[[Any], Iterator[str | Disagreement]]")
Said = TypeVar("Said")
_MARK = "_is_check"
_KIND = "kind="


class Unknown(Exception):  # noqa: N818 - it is no fault, it says that a question cannot be answered
    """A value that a check asks for is not valid itself, so the check cannot judge."""


@dataclass(frozen=True)
class Disagreement:
    """A sentence, and where below the model the value is that it is about."""

    sentence: str
    at: Location = ()


def check(method: Check) -> Check:
    """Mark a method of a `StrictModel` that yields a sentence for each way in which its values disagree.

    A `Disagreement` also says at which value, so that file and line of it are told.
    """
    setattr(method, _MARK, True)
    return method


def disagreements(model: type[BaseModel], values: object) -> Iterator[Disagreement]:
    """What the checks of `model` say of `values`: an instance, or what is known of one (`Partly`)."""
    methods = (method for kind in model.__mro__ for method in vars(kind).values())
    for method in methods:
        if getattr(method, _MARK, False):
            for said in as_known(method(values)):
                yield said if isinstance(said, Disagreement) else Disagreement(said)


def as_known(said: Iterable[Said]) -> Iterator[Said]:
    """What can be said until a value is asked for that is not valid; checks of several parts say so of each."""
    with suppress(Unknown):
        yield from said


@dataclass(frozen=True)
class _Origin:
    """File and line that a model was read from; models of the same values are equal wherever they stand."""

    place: Place | None = field(default=None, compare=False)


class StrictModel(BaseModel):
    """Base of all configuration: unknown keys are faults, values agree with each other and do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
    _origin: _Origin = PrivateAttr(_Origin())

    @property
    def place(self) -> Place | None:
        """File and line where it begins; None where it was not read from a file."""
        return self._origin.place

    @model_validator(mode="wrap")
    @classmethod
    def _keep_place(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        model = handler(given)
        if isinstance(given, Placed):
            model._origin = _Origin(given.start)  # noqa: SLF001 - of this class
        return model

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        faults = [
            InitErrorDetails(
                type=PydanticCustomError("disagreement", "{said}", {"said": said.sentence}),
                loc=said.at,
                input=None,
            )
            for said in disagreements(type(self), self)
        ]
        if faults:
            raise ValidationError.from_exception_data(type(self).__name__, faults)
        return self


def models_in(annotation: Any) -> list[type[StrictModel]]:
    """Models that an annotation names, however deep."""
    if isinstance(annotation, type) and issubclass(annotation, StrictModel):
        return [annotation]
    if typing.get_origin(annotation) is Literal:
        return []
    return [nested for part in typing.get_args(annotation) for nested in models_in(part)]


def kind_tag(kind: str) -> str:
    """Tag of a model among several that are told apart by their ``kind``; see `kind_given`."""
    return f"{_KIND}{kind}"


def kind_given(default: str) -> Callable[[Any], str]:
    """Discriminator of models that are told apart by their ``kind``, which is `default` where none is given."""

    def tag_of(given: Any) -> str:
        kind = given.get("kind", default) if isinstance(given, dict) else getattr(given, "kind", "")
        return kind_tag(str(kind))

    return tag_of


def is_tag(part: int | str) -> bool:
    """Whether a part of a location is a tag, which no file holds."""
    return isinstance(part, str) and part.startswith(_KIND)


def model_of_kind(models: list[type[StrictModel]], kind: str | None) -> list[type[StrictModel]]:
    """Those of the models whose ``kind`` is the one given, or is that by default where None."""
    found = []
    for model in models:
        field = model.model_fields.get("kind")
        if field is not None and (kind or field.default) in typing.get_args(field.annotation):
            found.append(model)
    return found


def repeated(names: Iterable[str]) -> list[str]:
    """Names that stand more than once, in their order by letter."""
    return sorted(name for name, times in Counter(names).items() if times > 1)
