"""Strict typed configuration: YAML in, frozen models out, all faults of a file reported at once."""

from __future__ import annotations

import difflib
import re
import typing
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from clvspark.lakehouse.errors import ConfigError
from clvspark.lakehouse.fixed_conf import RESERVED

Model = TypeVar("Model", bound=BaseModel)


class StrictModel(BaseModel):
    """Base of all configuration: unknown keys are faults, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def repeated(names: Iterable[str]) -> list[str]:
    """Names that stand more than once, in their order by letter."""
    return sorted(name for name, times in Counter(names).items() if times > 1)


class SparkConfig(StrictModel):
    """How the Spark session is built. Under spark-submit leave `master` empty.

    `conf` is any setting of Spark but those that clvspark depends on.
    """

    master: str | None = None
    driver_memory: str = Field("4g", pattern=r"^\d+[gm]$")
    shuffle_partitions: int | None = Field(
        None, ge=1, description="None: cores locally, AQE on clusters"
    )
    conf: dict[str, str] = Field(default_factory=dict)

    @field_validator("conf")
    @classmethod
    def _leaves_what_is_fixed(cls, conf: dict[str, str]) -> dict[str, str]:
        taken = sorted(RESERVED & conf.keys())
        if taken:
            raise ValueError(
                f"must not hold {', '.join(taken)}: clvspark sets that itself, as what it writes and what it keeps out "
                "of logs depend on it. Take it out; sizes, e.g. spark.sql.shuffle.partitions, are yours to set"
            )
        return conf


class LakehouseConfig(StrictModel):
    """Where the tables live: a folder (path mode) or a catalog (catalog mode), exactly one of them."""

    root: str | None = Field(None, description="folder of the Delta tables (path mode)")
    catalog: str | None = Field(
        None, pattern=r"^\w+$", description="catalog of the schemas (catalog mode)"
    )
    currency: str = Field("USD", pattern=r"^[A-Z]{3}$")

    @property
    def local_root(self) -> Path | None:
        """The folder on a local file system, None elsewhere and in catalog mode."""
        return Path(self.root).absolute() if self.root and "://" not in self.root else None

    @field_validator("root")
    @classmethod
    def _no_escape(cls, root: str | None) -> str | None:
        if root is not None and (".." in Path(root).parts or root.startswith("file:")):
            raise ValueError("must be a plain folder without '..' or 'file:'")
        return root

    @model_validator(mode="after")
    def _one_mode(self) -> LakehouseConfig:
        if (self.root is None) == (self.catalog is None):
            raise ValueError("set either 'root' (path mode) or 'catalog' (catalog mode)")
        return self


def load_config(path: str | Path, model: type[Model]) -> Model:
    """Read a YAML file, with the files it `extends`, into `model`; ConfigError lists every fault."""
    path = Path(path)
    return parse_config(read_yaml(path), model, where=str(path))


def parse_config(data: Any, model: type[Model], *, where: str) -> Model:
    """Validate plain data as `model`; ConfigError lists every fault with key, allowed values, next step."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        faults = [_sentence(fault, model) for fault in error.errors(include_url=False)]
        raise ConfigError(where, faults) from None


def read_yaml(path: Path, within: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read one YAML mapping.

    The mapping of the file named by its key ``extends`` is merged beneath it; ``!include FILE`` stands for the
    content of another file, ``!include FOLDER/*.yaml`` for the list of the contents of several, by name. `within`
    are the files that named this one.
    """
    if path.resolve() in within:
        raise ConfigError(str(path), ["it extends or includes itself; take that line out"])
    within = (*within, path.resolve())
    data = _parse_yaml(path, within)
    base = data.pop("extends", None)
    return data if base is None else merge(read_yaml(referenced(path, str(base)), within), data)


_MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """Plain YAML and ``!include``, nothing that runs code; a key stands once, a date exists.

    As in YAML 1.2 only true and false are true and false (yes, no and on are words), and only decimal numbers are
    whole numbers: a postcode with a leading zero stays what it is.
    """

    path: Path
    within: tuple[Path, ...]


def _include(loader: _Loader, node: yaml.ScalarNode) -> Any:
    target = referenced(loader.path, str(loader.construct_scalar(node)))
    if "*" not in target.name:
        return read_yaml(target, loader.within)
    found = sorted(target.parent.glob(target.name))
    if not found:
        raise ConfigError(str(loader.path), [f"!include {node.value}: no file matches"])
    return [read_yaml(file, loader.within) for file in found]


def _timestamp(loader: _Loader, node: yaml.ScalarNode) -> Any:
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError as error:
        raise _fault(node, f"{node.value} is no date: {error}") from None


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _fault(key, "a key must be a plain word, not a list or a mapping")
        if key.tag != _MERGE and key.value in seen:
            raise _fault(key, f"the key {key.value!r} stands twice; keep one of them")
        seen.add(key.value)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


def _fault(node: yaml.Node, problem: str) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


_BOOL, _INT = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:int"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in (_BOOL, _INT)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    _BOOL, re.compile("^(true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(_INT, re.compile("^[-+]?(0|[1-9][0-9]*)$"), list("-+0123456789"))
_Loader.add_constructor("!include", _include)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _timestamp)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def _parse_yaml(path: Path, within: tuple[Path, ...]) -> dict[str, Any]:
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        loader.path, loader.within = path, within
        data = loader.get_single_data()
    except FileNotFoundError:
        *above, _ = within
        next_step = f"correct its name in {above[-1].name}" if above else "pass --config FILE"
        raise ConfigError(str(path), [f"the file does not exist; {next_step}"]) from None
    except UnicodeDecodeError:
        raise ConfigError(str(path), ["is not written in UTF-8; save it so"]) from None
    except OSError as error:
        raise ConfigError(str(path), [f"cannot be read: {error.strerror}"]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError(
            str(path), [f"{at}not valid YAML ({getattr(error, 'problem', error)})"]
        ) from None
    if not isinstance(data, dict):
        raise ConfigError(str(path), ["must be a mapping of keys to values"])
    return data


def referenced(path: Path, name: str) -> Path:
    """Resolve a file named inside the configuration file `path`; it must lie in the same tree."""
    parts = Path(name).parts
    if Path(name).is_absolute() or ".." in parts[1:] or ":" in name:
        raise ConfigError(str(path), [f"{name!r}: name a file relative to this one"])
    return path.parent / name


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Merge two nested mappings; values of `over` win, lists are replaced whole."""
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = merge(base[key], value) if both else value
    return merged


def _sentence(fault: ErrorDetails, model: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in fault["loc"]) or "(file)"
    if fault["type"] == "extra_forbidden":
        allowed = _allowed_keys(model, fault["loc"][:-1])
        close = difflib.get_close_matches(str(fault["loc"][-1]), allowed, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        return f"{key}: unknown key.{hint} Allowed: {', '.join(allowed) or 'none'}."
    if fault["type"] == "missing":
        return f"{key}: is required; add it."
    message = fault["msg"].removeprefix("Value error, ")
    given = fault.get("input")
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool) else ""
    return f"{key}: {message[0].lower()}{message[1:]}{shown}."


def _allowed_keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Keys allowed at `loc`, found by walking the annotations of nested models."""
    models: list[type[BaseModel]] = [model]
    for part in loc:
        if isinstance(part, int):
            continue
        fields = [
            m.model_fields[str(part)].annotation for m in models if str(part) in m.model_fields
        ]
        found = [nested for annotation in fields for nested in _models_in(annotation)]
        models = found or models
    return sorted({field.alias or name for m in models for name, field in m.model_fields.items()})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if typing.get_origin(annotation) is Literal:
        return []
    return [nested for arg in typing.get_args(annotation) for nested in _models_in(arg)]
