"""Reading scope.yaml: settings, or every fault at once, each with file, line, column and what to write instead."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Any

from pydantic import BaseModel, ValidationError

from autofocus.errors import SettingsError
from autofocus.settings import Settings
from autofocus.yamltree import Path, Place, Tree, dotted, printable, read_tree

UNUSED_ADDRESS = "unused:1"
"""Stands for an address that is not needed: with a ``simulator:`` section, or where no device is opened."""

_SHORTER = (("Input should be ", "should be "), ("a valid boolean", "true or false (nothing else)"),
            ("a valid ", "a "), ("an object", "a section with keys of its own"),
            ("integer", "whole number"), (" array", " list"),
            ("a string", "text"), ("String should", "should"), ("Value error, ", ""),
            ("Field required", "should have more values"))  # fmt: skip


def load(path: FilePath | str | None, overrides: Sequence[str] = (), *, devices: bool = True) -> Settings:
    """Settings of a file and ``--set`` overrides; without `devices` the two addresses may be missing.

    Raises `SettingsError` whose ``faults`` hold one line for each fault found.
    """
    tree = _read(path)
    if tree.values is None:
        tree.values = {}
    if not isinstance(tree.values, dict):
        raise SettingsError(f"{tree.places[()].prefix}the file must hold sections such as camera: and focuser:")
    for override in overrides:
        _override(tree, override)
    _open_sections(tree)
    if tree.values.get("simulator") is not None or not devices:
        _fill_addresses(tree.values)
    faults = [f"{where}: {what}" for where, what in tree.faults]
    try:
        # strict JSON mode is YAML's own data model: no "1" for 1 and no "on" for true
        settings = Settings.model_validate_json(json.dumps(tree.values), strict=True)
    except ValidationError as error:
        faults += _faults(error, tree, str(path) if path else "")
    if faults:
        faults.sort(key=_line)
        raise SettingsError(_summary(faults), faults=tuple(faults))
    return settings


def _read(path: FilePath | str | None) -> Tree:
    if path is None:
        return Tree(values={}, places={(): Place("")})
    try:
        raw = FilePath(path).read_bytes()
    except FileNotFoundError as error:
        raise SettingsError(f"{path}: there is no such file; 'autofocus init' writes one") from error
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror or type(error).__name__}") from error
    except ValueError as error:
        raise SettingsError(f"{str(path)!r} is not a file name") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        raise SettingsError(f"{path}:{line}:{column}: not UTF-8; save the file as UTF-8") from error
    return read_tree(text, str(path))


def _override(tree: Tree, override: str) -> None:
    """Lay ``section.key=value`` over the tree; the value is written as in the file."""
    name, equals, text = override.partition("=")
    parts = tuple(part.strip() for part in name.split("."))
    label = f"--set {printable(name.strip())}"
    if not equals or not all(parts):
        tree.faults.append((f"--set {printable(override)}", "give it as section.key=value"))
        return
    try:
        given = read_tree(text, label)
    except SettingsError:
        tree.faults.append((label, f"cannot be read as a value (got {printable(text)})"))
        return
    tree.faults += [(label, what) for _, what in given.faults]
    here = tree.values
    for depth, part in enumerate(parts[:-1]):
        if here.get(part) is None:
            here[part] = {}
            tree.keys[parts[: depth + 1]] = tree.places[parts[: depth + 1]] = Place("--set ")
        here = here[part]
        if not isinstance(here, dict):
            tree.faults.append((label, f"{dotted(parts[: depth + 1])} has no keys of its own"))
            return
    here[parts[-1]] = given.values
    tree.keys[parts] = Place("--set ")
    for below, place in given.places.items():
        tree.places[(*parts, *below)] = Place("--set ", place.given)
    for below in given.keys:
        tree.keys[(*parts, *below)] = Place("--set ")


def _open_sections(tree: Tree) -> None:
    """A section whose keys are all commented out is an empty section, not null."""
    for name in Settings.model_fields:
        place = tree.places.get((name,))
        if name in tree.values and tree.values[name] is None and place is not None and not place.given:
            tree.values[name] = {}


def _fill_addresses(values: dict[str, Any]) -> None:
    for name in ("camera", "focuser"):
        section = values.setdefault(name, {})
        if isinstance(section, dict):
            section.setdefault("address", UNUSED_ADDRESS)


def _faults(error: ValidationError, tree: Tree, name: str) -> list[str]:
    """Pydantic's errors, one line for each path; the branches of a union are one fault."""
    found: dict[Path, tuple[str, list[str]]] = {}
    for item in error.errors(include_url=False, include_input=False):
        path, kind, key = _existing(item["loc"], tree), item["type"], item["loc"][-1]
        if kind == "missing" and key in _names(path):
            path = (*path, key)
        elif kind == "missing":
            kind = "value"  # a list inside a union that is too short
        found.setdefault(path, (kind, []))[1].append(_short(item["msg"]))
    return [
        f"{_prefix(path, kind, tree, name)}{printable(dotted(path), 80)}: {_explain(kind, path, messages, tree)}"
        for path, (kind, messages) in found.items()
    ]


def _existing(location: Sequence[str | int], tree: Tree) -> Path:
    """The part of a pydantic location that stands in the data; names of union branches do not."""
    path: Path = ()
    for part in location:
        if (*path, part) in tree.places or (*path, part) in tree.keys:
            path = (*path, part)
    return path


def _prefix(path: Path, kind: str, tree: Tree, name: str) -> str:
    """Where to look for a fault: a wrong value, an unknown key, or the section that lacks or contradicts one."""
    at_key = kind == "extra_forbidden" or (kind == "value_error" and _names(path))
    if path in tree.places and not at_key:
        return tree.places[path].prefix
    while path:
        if path in tree.keys:
            return tree.keys[path].prefix
        path = path[:-1]
    return f"{name}:1:1: " if name else ""


def _explain(kind: str, path: Path, messages: list[str], tree: Tree) -> str:
    if kind == "extra_forbidden":
        return f"unknown key{_nearest(path)}"
    if kind == "missing":
        return "missing; give the host:port of its Alpaca server" if path[-1] == "address" else "missing"
    place = tree.places.get(path)
    given = f" (got {printable(place.given) or 'nothing'})" if place is not None and kind != "value_error" else ""
    merged = messages[0] + "".join(
        " or " + message.removeprefix("should be ") for message in dict.fromkeys(messages[1:])
    )
    return merged + given


def _nearest(path: Path) -> str:
    """The known name a misspelt key was probably meant to be, in its own section first, then in any."""
    wrong = str(path[-1])
    here = difflib.get_close_matches(wrong.lower(), _names(path[:-1]), n=1, cutoff=0.6)
    if here:
        return f"; did you mean {here[0]}?"
    everywhere = {key: f"{name}.{key}" for name in _names(()) for key in _names((name,))}
    found = difflib.get_close_matches(wrong.lower(), everywhere, n=1, cutoff=0.8)
    if found:
        return f"; did you mean {everywhere[found[0]]}?"
    known = ", ".join(_names(path[:-1]))
    return f"; known here: {known}" if known else ""


def _names(path: Path) -> list[str]:
    """The keys a section may hold."""
    model: type[BaseModel] | None = Settings
    for part in path:
        info = model.model_fields.get(str(part)) if model else None
        kinds = (info.annotation, *getattr(info.annotation, "__args__", ())) if info else ()
        model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
    return list(model.model_fields) if model else []


def _short(message: str) -> str:
    for long, short in _SHORTER:
        message = message.replace(long, short)
    return message


def _line(fault: str) -> tuple[int, int]:
    """In the order of the file, ``--set`` last."""
    numbers = fault.split(": ", 1)[0].rsplit(":", 2)[1:]
    if not all(number.isdigit() for number in numbers) or len(numbers) != 2:
        return (1_000_000_000, 0)
    return (int(numbers[0]), int(numbers[1]))


def _summary(faults: Sequence[str]) -> str:
    return faults[0] if len(faults) == 1 else f"{len(faults)} faults in the settings; the first: {faults[0]}"
