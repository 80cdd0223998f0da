"""YAML files that extend and include each other, read as plain data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from clvspark.lakehouse.errors import ConfigError


@dataclass(frozen=True)
class Unread:
    """What stands in the place of an included file that cannot be read, so that faults of the others are found too."""

    error: ConfigError


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML mapping.

    The mapping of the file named by its key ``extends`` is merged beneath it; ``!include FILE`` stands for the
    content of another file, ``!include FOLDER/*.yaml`` for the list of the contents of several, by name.
    """
    data = read_as_far(path)
    for unread in find_unread(data):
        raise unread.error
    return data


def read_as_far(path: Path, within: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read one YAML mapping as `read_yaml` does, with `Unread` in place of each included file that cannot be read.

    `within` are the files that named this one.
    """
    if path.resolve() in within:
        raise ConfigError(str(path), ["it extends or includes itself; take that line out"])
    within = (*within, path.resolve())
    data = _parse_yaml(path, within)
    base = data.pop("extends", None)
    return data if base is None else merge(read_as_far(referenced(path, str(base)), within), data)


def find_unread(data: Any) -> Iterator[Unread]:
    """All included files that could not be read."""
    if isinstance(data, Unread):
        yield data
    elif isinstance(data, dict | list):
        for part in data.values() if isinstance(data, dict) else data:
            yield from find_unread(part)


Place = tuple[Path, int]


class Placed(dict[str, Any]):
    """A mapping that knows the file and line where it begins, and those of its keys, so that a fault can name them."""

    start: Place
    places: Mapping[str, Place]

    def at(self, start: Place, places: Mapping[str, Place]) -> Placed:
        """The mapping, with its places."""
        self.start, self.places = start, places
        return self


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
        return _read_included(target, loader)
    found = sorted(target.parent.glob(target.name))
    if not found:
        raise ConfigError(str(loader.path), [f"!include {node.value}: no file matches"])
    return [_read_included(file, loader) for file in found]


def _read_included(target: Path, loader: _Loader) -> dict[str, Any] | Unread:
    try:
        return read_as_far(target, loader.within)
    except ConfigError as error:
        return Unread(error)


def _timestamp(loader: _Loader, node: yaml.ScalarNode) -> Any:
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError as error:
        raise _fault(node, f"{node.value} is no date: {error}") from None


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    places: dict[str, Place] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _fault(key, "a key must be a plain word, not a list or a mapping")
        if key.tag != _MERGE and key.value in places:
            raise _fault(key, f"the key {key.value!r} stands twice; keep one of them")
        places[key.value] = (loader.path, key.start_mark.line + 1)
    loader.flatten_mapping(node)
    start = (loader.path, node.start_mark.line + 1)
    data: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return Placed(data).at(start, places)


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
        raise ConfigError(
            str(path), [f"{name!r}: name a file relative to this one, at most one folder up"]
        )
    return path.parent / name


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Merge two nested mappings; values of `over` win, lists are replaced whole."""
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = merge(base[key], value) if both else value
    if isinstance(base, Placed) and isinstance(over, Placed):
        return Placed(merged).at(over.start, {**base.places, **over.places})
    return merged
