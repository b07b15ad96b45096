"""The house keeps its own rules: order of the rooms, quick --help, a whole wheel, commands that README can promise."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from autofocus import __version__

ROOT = Path(__file__).parent.parent
HEAVY = ("numpy", "scipy", "astropy", "alpaca", "requests", "watchdog", "starlette", "uvicorn", "simulators")


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after a statement."""
    report = "print('\\n' + ' '.join(sys.modules), file=sys.stderr)"
    code = f"import sys\ntry:\n    {statement}\nexcept SystemExit:\n    pass\n{report}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stderr.splitlines()[-1].split()}


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["watch", "--help"], ["--version"]], ids=" ".join)
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    modules = loaded_by(f"from autofocus.cli import main; main({words!r})")
    assert "typer" in modules
    assert not modules & set(HEAVY)


def test_the_rooms_keep_their_order() -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")
    words = [str(lint_imports) if lint_imports.exists() else "lint-imports", "--no-cache"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("room", ["autofocus", "simulators"])
def test_files_stay_small_and_say_what_they_are(room: str) -> None:
    for path in (ROOT / room).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert text.startswith('"""'), f"{path} has no docstring"
        assert text.count("\n") <= 300, f"{path} has grown past 300 lines: split it by a noun of the field"
        assert path.stem not in {"utils", "util", "helpers", "helper", "misc", "manager"}


def test_the_wheel_holds_both_packages_and_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("autofocus", "simulators"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    words = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(source)]
    if subprocess.run([sys.executable, "-c", "import hatchling"], capture_output=True).returncode:
        words.remove("--no-isolation")
    subprocess.run(words, check=True, capture_output=True, timeout=240)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"autofocus", "simulators", f"autofocus-{__version__}.dist-info"}
    for package in ("autofocus", "simulators"):
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in path.parts):
                assert path.relative_to(ROOT).as_posix() in names
    assert f"autofocus-{__version__}.dist-info/licenses/LICENSE" in names


def commands_of(document: Path) -> set[str]:
    """The ``autofocus`` commands of the code blocks of a document."""
    blocks = re.findall(r"^```\n(.*?)^```", document.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in re.split(r"\n|&&", block)]
    found = (re.match(r"\s*(?:\S*[/\\])?autofocus (.+?)(?:\s+#.*)?$", line) for line in lines)
    return {match[1].strip() for match in found if match}


@pytest.mark.parametrize("document", ["README.md", "docs/hardware.md", "docs/watching.md", "docs/simulators.md"])
def test_documented_commands_exist_with_their_options(document: str) -> None:
    commands = commands_of(ROOT / document)
    assert commands
    for command in commands:
        name, *rest = command.split()
        shown = subprocess.run(
            [sys.executable, "-m", "autofocus", name, "--help"],
            capture_output=True, text=True, encoding="utf-8", cwd=ROOT, timeout=60, env=_wide(),
        )  # fmt: skip
        assert shown.returncode == 0, f"{document} names 'autofocus {name}'"
        for option in (word for word in rest if word.startswith("--")):
            assert option in shown.stdout, f"{document} names 'autofocus {name} {option}'"


def test_readme_says_how_to_set_up_and_what_ci_does_the_same() -> None:
    readme, ci = (ROOT / "README.md").read_text(encoding="utf-8"), (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert "pip install . && .venv/bin/autofocus run --config config/simulator.yaml" in readme
    assert "pip install -e '.[dev]' && .venv/bin/python -m pytest -n auto --dist loadfile" in readme
    assert "pip install --quiet -e '.[dev]'" in ci
    assert ci.rstrip().endswith("python -m pytest -n auto --dist loadfile")


def test_links_between_documents_lead_somewhere() -> None:
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document}: {target}"


def test_version_is_the_same_everywhere() -> None:
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def _wide() -> dict[str, str]:
    import os

    return {**os.environ, "COLUMNS": "200", "PYTHONIOENCODING": "utf-8"}
