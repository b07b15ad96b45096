"""scope.yaml: what it means, and that every fault is named with its place, all at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autofocus.errors import SettingsError
from autofocus.scopefile import load
from autofocus.scopetemplate import scope_schema, scope_yaml, write
from autofocus.settings import Settings
from autofocus.yamltree import read_tree

ROOT = Path(__file__).parent.parent
ADDRESSES = ["camera.address=10.0.0.5:11111", "focuser.address=10.0.0.5:11111"]


def settings_of(tmp_path: Path, text: str, *overrides: str, devices: bool = True) -> Settings:
    path = tmp_path / "scope.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, overrides, devices=devices)


def faults_of(tmp_path: Path, text: str, *overrides: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        settings_of(tmp_path, text, *overrides)
    return [fault.replace(str(tmp_path / "scope.yaml"), "scope.yaml") for fault in caught.value.faults]


GOOD = 'camera: {address: "a:1"}\nfocuser: {address: "b:2"}\n'


def test_every_fault_is_named_at_its_line_and_column_in_one_go(tmp_path: Path) -> None:
    text = """\
camera:
  address: "127.0.0.1:11111"
  roi: [1, 2, 3]
  exposure_s: .nan
focuser:
  settle_s: -1
  adress: 127.0.0.1:11111
  approach: sideways
  settle_s: 3
search:
  spacing_steps: atuo
  confirm: no
spacing_stepps: 3
"""
    assert faults_of(tmp_path, text, "search.retries=7", "nonsense") == [
        "scope.yaml:3:8: camera.roi: should have more values or 'auto' (got [1, 2, 3])",
        "scope.yaml:4:15: camera.exposure_s: should be a finite number (got .nan)",
        "scope.yaml:5:1: focuser.address: missing; give the host:port of its Alpaca server",
        "scope.yaml:6:13: focuser.settle_s: should be greater than or equal to 0 (got -1)",
        "scope.yaml:7:3: focuser.adress: unknown key; did you mean address?",
        "scope.yaml:8:13: focuser.approach: should be 'inward' or 'outward' (got sideways)",
        "scope.yaml:9:3: focuser.settle_s: repeated; it was already given at 6:3",
        "scope.yaml:11:18: search.spacing_steps: should be a whole number or 'auto' (got atuo)",
        "scope.yaml:12:12: search.confirm: should be true or false (nothing else) (got no)",
        "scope.yaml:13:1: spacing_stepps: unknown key; did you mean search.spacing_steps?",
        "--set nonsense: give it as section.key=value",
        "--set search.retries: should be less than or equal to 5 (got 7)",
    ]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1e3", 1000),
        ("0010", 10),
        ("0x10", 16),
        ("0o17", 15),
        ("5:30", "5:30"),
        ("12:30:45", "12:30:45"),
        ("-48:51:24", "-48:51:24"),
        ("2026-11-22", "2026-11-22"),
        ("on", "on"),
        ("no", "no"),
        ("1_000", "1_000"),
        ("TRUE", True),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        (".5", 0.5),
        ("1.", 1),
        ("+1.5e-3", 0.0015),
    ],
)
def test_scalars_follow_yaml_1_2(written: str, read: object) -> None:
    value = read_tree(f"key: {written}\n", "x").values["key"]
    assert value == read
    assert type(value) is type(read)


def test_strings_are_not_taken_for_numbers_nor_numbers_for_switches(tmp_path: Path) -> None:
    faults = faults_of(tmp_path, GOOD + "search: {retries: '1', confirm: 1, max_exposures: true}\n")
    assert [fault.split(": ")[1] for fault in faults] == ["search.retries", "search.confirm", "search.max_exposures"]


def test_a_power_of_ten_is_a_whole_number_where_one_is_wanted(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path, GOOD + "search: {max_exposures: 1e2}\nfocuser2: null\n".replace("focuser2: null", "")
    )
    assert settings.search.max_exposures == 100


def test_overrides_are_laid_over_the_file(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        GOOD + "search: {retries: 0}\n",
        "search.spacing_steps=20",
        "measure.columns=1500:1600",
        "camera.roi=[1, 2, 3, 4]",
        "camera.auto_exposure={min_s: 2, max_s: 8}",
        "search.retries=2",
    )
    assert settings.search.spacing_steps == 20
    assert settings.search.retries == 2
    assert settings.measure.columns == (1500, 1600)
    assert settings.camera.roi == (1, 2, 3, 4)
    assert settings.camera.auto_exposure is not None
    assert settings.camera.auto_exposure.max_s == 8.0


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        ("search.spacing_step=20", "--set search.spacing_step: unknown key; did you mean spacing_steps?"),
        ("focuser.approach=up", "--set focuser.approach: should be 'inward' or 'outward' (got up)"),
        ("camera.address.port=1", "--set camera.address.port: camera.address has no keys of its own"),
        ("camera.roi=[1", "--set camera.roi: cannot be read as a value (got [1)"),
        ("camera.address=http://x:1", "--set camera.address: give host:port without http://"),
        ("camera.address=localhost", "--set camera.address: give it as host:port, for example 192.168.1.20:11111"),
        ("=3", "--set =3: give it as section.key=value"),
    ],
)
def test_a_faulty_override_is_named(tmp_path: Path, override: str, fault: str) -> None:
    assert faults_of(tmp_path, GOOD, override) == [fault]


def test_the_bench_needs_no_addresses(tmp_path: Path) -> None:
    assert settings_of(tmp_path, "simulator: {seed: 4}\n").simulator is not None
    assert settings_of(tmp_path, "simulator:\n").simulator is not None
    assert settings_of(tmp_path, GOOD + "simulator: null\n").simulator is None
    assert faults_of(tmp_path, "") == ["scope.yaml:1:1: camera: missing", "scope.yaml:1:1: focuser: missing"]


def test_watching_needs_no_devices(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "measure: {half_window_px: auto}\n", devices=False)
    assert settings.measure.half_window_px == "auto"
    assert (
        load(None, ["measure.plate_scale_arcsec_per_px=0.89"], devices=False).measure.plate_scale_arcsec_per_px == 0.89
    )


def test_sections_with_only_comments_are_sections(tmp_path: Path) -> None:
    assert settings_of(tmp_path, GOOD + "search:\n  # retries: 3\n").search.retries == 1


def test_cross_checks_are_named_at_their_section(tmp_path: Path) -> None:
    faults = faults_of(
        tmp_path, 'camera: {address: "a:1"}\nfocuser:\n  address: "b:2"\n  min_position: 9\n  max_position: 9\n'
    )
    assert faults == ["scope.yaml:2:1: focuser: min_position must be smaller than max_position"]


def test_a_password_is_never_repeated(tmp_path: Path) -> None:
    for address in ("user:geheim@host", "user:geheim@host:99999", "http://user:geheim@host:1"):
        faults = faults_of(tmp_path, GOOD.replace("a:1", address))
        assert len(faults) == 1
        assert "geheim" not in faults[0]
    assert "geheim" not in faults_of(tmp_path, GOOD, "search.retries=user:geheim@host")[0]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("camera: [1, 2\n", "scope.yaml:2:1: not valid YAML"),
        ("camera:\n\taddress: x\n", "scope.yaml:2:1: not valid YAML"),
        ("a: b: c\n", "scope.yaml:1:5: not valid YAML"),
        ("- 1\n- 2\n", "scope.yaml:1:1: the file must hold sections"),
        ("a: 1\n---\nb: 2\n", "scope.yaml:2:1: not valid YAML"),
        ("a: *b\n", "scope.yaml:1:4: not valid YAML"),
        ("a: \x01\n", "scope.yaml:1:4: the character"),
        ("{[1, 2]: 3}\n", "scope.yaml:1:2: "),
        ("camera: !!python/object/apply:os.system [echo]\n", "scope.yaml:1:9: camera"),
    ],
)
def test_what_is_not_settings_says_where(tmp_path: Path, text: str, start: str) -> None:
    faults = faults_of(tmp_path, text)
    assert any(fault.startswith(start) for fault in faults), faults


def test_a_file_that_is_not_utf_8_says_where(tmp_path: Path) -> None:
    path = tmp_path / "scope.yaml"
    path.write_bytes(b"camera:\n  readout_mode: sch\xf6n\n")
    with pytest.raises(SettingsError, match=r"scope\.yaml:2:20: not UTF-8"):
        load(path)
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load(path).camera.address == "a:1"


def test_missing_file_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"there is no such file; 'autofocus init' writes one"):
        load(tmp_path / "absent.yaml")
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(
            f"{c}: &{c} [{', '.join('*' + p for _ in range(9))}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        "a: &a [*a]\n",
        "a: " + "[" * 5000 + "\n",
        "a: " + "{b: " * 60 + "1" + "}" * 60 + "\n",
        "a: [" + "1," * 600_000 + "]\n",
        "a: " + "9" * 100_000 + "\n",
    ],
    ids=["aliases multiply", "alias of itself", "thousands deep", "deep", "long", "huge number"],
)
def test_hostile_files_cost_little(tmp_path: Path, text: str) -> None:
    for fault in faults_of(tmp_path, text):
        assert len(fault) < 300


@given(st.text(max_size=200))
def test_no_text_escapes_the_error_tree(text: str) -> None:
    try:
        read_tree(text, "scope.yaml")
    except SettingsError as error:
        assert error.faults  # noqa: PT017  either outcome is right


KEYS = [
    f"{name}.{key}"
    for name, info in Settings.model_fields.items()
    for key in getattr(info.annotation, "model_fields", {})
]


@given(st.lists(st.tuples(st.sampled_from([*KEYS, "search.x", "camera"]), st.text(max_size=12)), max_size=4))
def test_no_override_escapes_the_error_tree(pairs: list[tuple[str, str]]) -> None:
    try:
        settings = load(None, [*ADDRESSES, *(f"{key}={value}" for key, value in pairs)])
    except SettingsError as error:
        assert all(fault.startswith("--set ") for fault in error.faults)  # noqa: PT017  either outcome is right
    else:
        assert settings.camera.device_number >= 0


def test_config_holds_the_current_template_and_schema() -> None:
    remedy = "remove both files and run: autofocus init config/scope.yaml"
    assert (ROOT / "config/scope.yaml").read_text(encoding="utf-8") == scope_yaml(), remedy
    assert (ROOT / "config/scope.schema.json").read_text(encoding="utf-8") == scope_schema(), remedy


def test_the_template_holds_every_key_with_its_default(tmp_path: Path) -> None:
    target = tmp_path / "scope.yaml"
    assert write(target) == (target, tmp_path / "scope.schema.json")
    assert load(target) == load(None, ["camera.address=127.0.0.1:11111", "focuser.address=127.0.0.1:11111"])
    uncommented = target.read_text(encoding="utf-8").replace("# simulator:", "simulator:").replace("#   ", "  ")
    for key in KEYS:
        assert f"\n  {key.split('.')[1]}: " in uncommented, key
    with pytest.raises(SettingsError, match="exists already"):
        write(target)


def test_the_schema_knows_every_key() -> None:
    schema = json.loads(scope_schema())
    assert set(schema["properties"]) == set(Settings.model_fields)
    assert schema["$defs"]["SearchSettings"]["properties"]["objective"]["enum"] == ["snr", "nsig", "fwhm"]
    assert schema["then"]["required"] == ["camera", "focuser"]
    assert "required" not in schema


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_config_is_valid(path: Path) -> None:
    settings = load(path)
    assert (settings.simulator is not None) == (path.stem == "simulator")
