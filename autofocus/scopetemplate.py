"""What ``autofocus init`` writes, made from the settings themselves so that it cannot drift from them.

The file carries every key with its default and its meaning; the JSON Schema beside it gives editors completion.
``config/scope.yaml`` and ``config/scope.schema.json`` are these two texts.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from autofocus.errors import SettingsError
from autofocus.settings import AutoExposure, Settings, SimulatorSettings

SCHEMA_NAME = "scope.schema.json"

_HEAD = f"""\
# yaml-language-server: $schema={SCHEMA_NAME}
#
# Settings of one telescope for autofocus. Each key stands here with its default: only the two addresses must be
# right, everything else may stay or go. 'autofocus check --config scope.yaml' tries them all without focusing.
# Units ride in the names: _s seconds, _px pixels, _steps focuser steps, _um microns, _mm millimetres.
"""
_ADDRESSES = {"camera": "127.0.0.1:11111", "focuser": "127.0.0.1:11111"}
_WIDTH = 110


@dataclass(frozen=True, slots=True)
class Choice:
    """The device that is to stand in a section, and what its comment says of it."""

    address: str
    device_number: int
    notes: tuple[str, ...] = ()


def scope_yaml(chosen: Mapping[str, Choice] | None = None) -> str:
    """The commented settings file; ``chosen`` holds the devices of the sections camera and focuser."""
    chosen = chosen or {}
    parts = [_HEAD]
    for name, info in Settings.model_fields.items():
        model = SimulatorSettings if name == "simulator" else info.annotation
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise TypeError(f"{name} is not a section")
        choice = chosen.get(name)
        notes = [line for note in choice.notes for line in _comment(note, "")] if choice else []
        lines = [*_comment(_first_line(model), ""), *notes, f"{name}:"]
        for key, field in model.model_fields.items():
            lines += _comment(_description(field), "  ")
            if key == "auto_exposure":
                lines += _comment(f"for example {{min_s: 5.0, max_s: 60.0}}; {_inner(AutoExposure)}", "  ")
            value = getattr(choice, key, None)
            lines.append(f"  {key}: {_default(name, key, field) if value is None else json.dumps(value)}")
        if name == "simulator":
            lines = [line if line.startswith("#") else f"# {line}" for line in lines]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def scope_schema() -> str:
    """The JSON Schema of scope.yaml."""
    schema = Settings.model_json_schema()
    for section in ("CameraSettings", "FocuserSettings"):
        schema["$defs"][section].pop("required")
    schema.pop("required")
    # the addresses are needed unless the bench stands in for the devices
    needed = {"required": ["address"]}
    schema["if"] = {"not": {"required": ["simulator"]}}
    schema["then"] = {"required": ["camera", "focuser"], "properties": {"camera": needed, "focuser": needed}}
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "scope.yaml of autofocus"
    return json.dumps(schema, indent=1, allow_nan=False) + "\n"


def write(path: Path, chosen: Mapping[str, Choice] | None = None) -> tuple[Path, ...]:
    """Write both texts without overwriting settings; `SettingsError` says what stands in the way."""
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(scope_yaml(chosen))
        schema = path.parent / SCHEMA_NAME
        schema.write_text(scope_schema(), encoding="utf-8", newline="\n")
    except FileExistsError as error:
        raise SettingsError(f"{path} exists already and is left as it is; name another file") from error
    except FileNotFoundError as error:
        raise SettingsError(f"{path}: there is no folder {path.parent}; make it first, or name another") from error
    except OSError as error:
        raise SettingsError(f"{path}: cannot be written: {error.strerror or type(error).__name__}") from error
    return path, schema


def _first_line(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


def _description(field: FieldInfo) -> str:
    """What a key means and its range, unless that is merely "not negative"."""
    rules = _rules(field)
    low, high = ([v for r in rules if (v := getattr(r, name, None)) is not None] for name in ("ge", "le"))
    if high:
        return f"{field.description}; {low[0]} to {high[0]}"
    return f"{field.description}; at least {low[0]}" if low and low[0] > 0 else f"{field.description}"


def _rules(field: FieldInfo) -> list[Any]:
    """Constraints of a field, also those inside ``X | None``."""
    found = list(field.metadata)
    for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
        for extra in getattr(kind, "__metadata__", ()):
            found += getattr(extra, "metadata", ()) or [extra]
    return found


def _default(section: str, key: str, field: FieldInfo) -> str:
    if key == "address" and section in _ADDRESSES:
        return json.dumps(_ADDRESSES[section])
    return json.dumps(field.default) if not isinstance(field.default, str) else _plain(field.default)


def _plain(text: str) -> str:
    """A string as YAML takes it: bare where it is a plain word."""
    return text if text.isalnum() and not text.isdigit() else json.dumps(text)


def _inner(model: type[BaseModel]) -> str:
    return "; ".join(f"{key}: {field.description}" for key, field in model.model_fields.items())


def _comment(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
