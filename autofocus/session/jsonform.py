"""Our frozen values to JSON and back: not-a-number is ``null``, and every finite number returns exactly."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ValidationError

T = TypeVar("T")


def encode(value: Any) -> Any:
    """Turn dataclasses, settings, tuples and mappings into what `json` can write; NaN and infinity become None."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: encode(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, BaseModel):
        return encode(value.model_dump(mode="json"))
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [encode(item) for item in value]
    if hasattr(value, "item"):  # a numpy scalar
        return encode(value.item())
    return str(value)


def decode(kind: type[T], data: Any) -> T:
    """Build a value of this kind from what `encode` made of one; raise ValueError where the data do not fit."""
    built: T = _decode(kind, data)
    return built


def _decode(kind: Any, data: Any) -> Any:
    if kind is Any:
        return data
    if kind is float:
        return float("nan") if data is None else float(_expect(data, (int, float), "a number"))
    if kind in (int, str, bool):
        return _expect(data, kind, kind.__name__)
    origin = get_origin(kind)
    if origin is not None:
        return _decode_generic(origin, get_args(kind), data)
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(kind, data)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        try:
            return kind.model_validate(data)
        except ValidationError as fault:
            raise ValueError(f"{kind.__name__}: {fault.error_count()} faults") from fault
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(data)
    raise ValueError(f"cannot read a {kind}")


def _decode_generic(origin: Any, arguments: tuple[Any, ...], data: Any) -> Any:
    if origin in (Union, types.UnionType):
        return _decode_union(arguments, data)
    if origin is Literal:
        if data not in arguments:
            raise ValueError(f"{data!r} is none of {arguments}")
        return data
    if origin is tuple:
        items = _expect(data, list, "a list")
        kinds = (arguments[0],) * len(items) if arguments[-1] is Ellipsis else arguments
        return tuple(_decode(kind, item) for kind, item in zip(kinds, items, strict=True))
    if issubclass(origin, Mapping):
        key_kind, value_kind = arguments
        entries = _expect(data, dict, "an object")
        return {(int(key) if key_kind is int else key): _decode(value_kind, item) for key, item in entries.items()}
    raise ValueError(f"cannot read a {origin}")


def _decode_union(arguments: tuple[Any, ...], data: Any) -> Any:
    if data is None and type(None) in arguments:
        return None
    faults = []
    for kind in arguments:
        if kind is not type(None):
            try:
                return _decode(kind, data)
            except (ValueError, TypeError) as fault:
                faults.append(str(fault))
    raise ValueError("; ".join(faults))


def _decode_dataclass(kind: Any, data: Any) -> Any:
    given = _expect(data, dict, f"a {kind.__name__}")
    hints = _hints(kind)
    known = {name: _decode(hint, given[name]) for name, hint in hints.items() if name in given}
    try:
        return kind(**known)
    except TypeError as fault:
        raise ValueError(f"{kind.__name__}: {fault}") from fault


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {item.name: hints[item.name] for item in dataclasses.fields(kind)}


def _expect(data: Any, kinds: Any, name: str) -> Any:
    wanted_bool = kinds is bool
    if not isinstance(data, kinds) or (isinstance(data, bool) and not wanted_bool):
        raise ValueError(f"{data!r} is not {name}")
    return data
