"""A YAML text as plain values, each with the place it came from.

PyYAML follows YAML 1.1, which turns ``12:30`` into 750, ``on`` into true, ``0010`` into 8 and leaves ``1e3`` a
string. Here scalars follow the core schema of YAML 1.2, repeated keys are faults, and what a hostile file may
cost is bounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from autofocus.errors import SettingsError

Path = tuple[str | int, ...]

MAX_CHARACTERS = 1_000_000
MAX_VALUES = 10_000  # counted with aliases written out, so that a few lines cannot stand for millions
MAX_DEPTH = 40

_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


class _CoreLoader(yaml.SafeLoader):
    """SafeLoader whose plain scalars follow YAML 1.2; only its parser is used."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  PyYAML's own name


_CoreLoader.add_implicit_resolver(_TAG + "null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_CoreLoader.add_implicit_resolver(_TAG + "bool", re.compile(r"^(?:[tT]rue|TRUE|[fF]alse|FALSE)$"), list("tTfF"))
_CoreLoader.add_implicit_resolver(_TAG + "int", re.compile(f"^(?:{_INT.pattern})$"), list("-+0123456789"))
_CoreLoader.add_implicit_resolver(_TAG + "float", re.compile(f"^(?:{_FLOAT.pattern})$"), list("-+.0123456789"))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands, ready to begin a fault's line, and what was written there."""

    prefix: str
    given: str = ""


@dataclass(slots=True)
class Tree:
    """The values of a text, the place of each key and value by its path, and the faults met on the way."""

    values: Any = None
    keys: dict[Path, Place] = field(default_factory=dict)
    places: dict[Path, Place] = field(default_factory=dict)
    faults: list[tuple[str, str]] = field(default_factory=list)


def dotted(path: Path) -> str:
    """``("camera", "roi", 2)`` as ``camera.roi[2]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def printable(text: str, limit: int = 60) -> str:
    """What was given, on one line, without control characters, and without a password before an ``@``."""
    if "@" in text:
        text = "…@" + text.rpartition("@")[2]
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def read_tree(text: str, name: str) -> Tree:
    """Parse a text; `name` begins each place. A text that is not YAML raises `SettingsError`."""
    if len(text) > MAX_CHARACTERS:
        raise SettingsError(f"{name}: {len(text)} characters are more than settings can need")
    try:
        node = yaml.compose(text, Loader=_CoreLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise SettingsError(f"{where}: not valid YAML: {printable(error.problem or str(error), 200)}") from error
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        where = f"{name}:{before.count(chr(10)) + 1}:{error.position - before.rfind(chr(10))}"
        raise SettingsError(f"{where}: the character {error.character!r} is not allowed") from error
    except RecursionError as error:
        raise SettingsError(f"{name}: nested too deeply") from error
    walk = _Walk(name, text)
    if node is not None:
        walk.tree.values = walk.value(node, ())
    return walk.tree


class _Walk:
    """Turns PyYAML's nodes into values, keeping places."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.tree = Tree()
        self.count = 0

    def _place(self, node: yaml.Node, given: str = "") -> Place:
        return Place(f"{self.name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}: ", given)

    def _written(self, node: yaml.CollectionNode) -> str:
        """A collection as it was written, where it stands in brackets on one line."""
        written = self.text[node.start_mark.index : node.end_mark.index]
        return written if node.flow_style and "\n" not in written else ""

    def value(self, node: yaml.Node, path: Path) -> Any:
        """The value of one node, and everything below it."""
        self.count += 1
        if self.count > MAX_VALUES or len(path) > MAX_DEPTH:
            raise SettingsError(f"{self._place(node).prefix}{dotted(path)[:60]}: more values than settings can need")
        if isinstance(node, yaml.MappingNode):
            self.tree.places[path] = self._place(node, self._written(node) or "a section")
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            self.tree.places[path] = self._place(node, self._written(node) or "a list")
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        place = self.tree.places[path] = self._place(node, node.value)
        try:
            return _scalar(node)
        except ValueError as error:
            self.tree.faults.append((f"{place.prefix}{dotted(path)}", str(error)))
            return None

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = self._place(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self.tree.faults.append((f"{place.prefix}{dotted(path)}", "a key must be a single word"))
                continue
            key = key_node.value
            here = (*path, key)
            if key in values:
                first = self.tree.keys[here].prefix.removeprefix(self.name).strip(": ")
                fault = f"repeated; it was already given at {first}"
                self.tree.faults.append((f"{place.prefix}{printable(dotted(here))}", fault))
                continue
            self.tree.keys[here] = place
            values[key] = self.value(value_node, here)
        return values


def _scalar(node: yaml.Node) -> Any:
    """A scalar by the core schema; ValueError says why it cannot be."""
    tag, text = node.tag.removeprefix(_TAG), node.value
    if tag == "str":
        return text
    if tag == "null":
        return None
    if tag == "bool" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if tag == "int" and _INT.fullmatch(text) and len(text) <= 1000:
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if tag in ("int", "float") and _FLOAT.fullmatch(text):
        number = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        # 1e3 is written as a float but means a whole number where one is wanted
        return int(number) if number.is_integer() and abs(number) < 2**53 else number
    raise ValueError(f"cannot be read as {printable(tag)} (got {printable(text)})")
