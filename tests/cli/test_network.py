"""``devices --write``: which devices go into scope.yaml, and what is said of the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autofocus.cli import main
from autofocus.devices import discovery
from autofocus.devices.channel import Address
from autofocus.devices.discovery import Found, FoundDevice
from autofocus.scopefile import load

GUIDE = FoundDevice("camera", "Guide camera", "10.0.0.1:11111", 0, "g-1")
MAIN = FoundDevice("camera", "Spectrograph\ncamera: {evil: 1}", "10.0.0.2:11111", 1, "m-1")
FOCUSER = FoundDevice("focuser", "EAF", "10.0.0.2:11111", 3, "f-1")
SPARE = FoundDevice("focuser", "", "[fe80::7%eth0]:32323", 0, "")


@pytest.fixture
def devices(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)

    def call(found: Found, *words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(discovery, "find_devices", lambda *_: found)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["devices", *words])
        return int(ended.value.code or 0), *capsys.readouterr()

    return call


def test_the_file_holds_a_server_that_has_both_and_names_the_others(devices, tmp_path: Path) -> None:
    code, out, err = devices(Found((GUIDE, MAIN, FOCUSER, SPARE)), "--write", "scope.yaml", "--json")
    assert code == 0
    assert len(json.loads(out)) == 4
    assert "autofocus check --config scope.yaml" in err
    text = (tmp_path / "scope.yaml").read_text(encoding="utf-8")
    settings = load(tmp_path / "scope.yaml")
    assert (settings.camera.address, settings.camera.device_number) == ("10.0.0.2:11111", 1)
    assert (settings.focuser.address, settings.focuser.device_number) == ("10.0.0.2:11111", 3)
    assert '# Also found: Guide camera, UniqueID g-1: {address: "10.0.0.1:11111", device_number: 0}' in text
    assert '# Also found: without a name: {address: "[fe80::7%eth0]:32323", device_number: 0}' in text
    assert "# Found: EAF, UniqueID f-1" in text
    assert (tmp_path / "scope.schema.json").is_file()


def test_an_address_of_one_interface_is_a_valid_address(devices, tmp_path: Path) -> None:
    camera = FoundDevice("camera", "C", "[fe80::7%eth0]:32323", 0, "")
    assert devices(Found((camera, SPARE)), "--write", "scope.yaml")[0] == 0
    settings = load(tmp_path / "scope.yaml")
    assert Address.parse(settings.camera.address) == Address("http", "fe80::7%eth0", 32323)


@pytest.mark.parametrize(
    ("found", "missing"),
    [((FOCUSER,), "no camera answered"), ((GUIDE,), "no focuser answered"), ((), "no camera and no focuser answered")],
)
def test_what_is_missing_is_said_and_nothing_is_written(devices, tmp_path: Path, found, missing: str) -> None:
    code, out, err = devices(Found(found), "--write", "scope.yaml")
    assert code == 3
    assert missing in err
    assert "autofocus init" in err
    assert [line.split(":")[0] for line in out.splitlines()] == [device.kind for device in found]
    assert not list(tmp_path.iterdir())


def test_an_existing_file_stays(devices, tmp_path: Path) -> None:
    (tmp_path / "scope.yaml").write_text("mine", encoding="utf-8")
    code, _, err = devices(Found((MAIN, FOCUSER)), "--write", "scope.yaml")
    assert code == 2
    assert "exists already" in err
    assert (tmp_path / "scope.yaml").read_text(encoding="utf-8") == "mine"


def test_a_server_that_does_not_say_what_it_serves_is_named(devices) -> None:
    code, out, err = devices(Found((), (Address("http", "10.0.0.9", 11111),)))
    assert (code, out) == (0, "")
    assert "10.0.0.9:11111 answers discovery but does not say what it serves" in err
