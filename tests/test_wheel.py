"""The wheel: what `pip install .` puts on a machine, built without the network and then run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from import_graph import PACKAGES, ROOT, modules

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = ["wheel", ".", "--no-deps", "--no-index", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*PIP, *build], cwd=ROOT, check=True, timeout=100)
    [built] = folder.glob("isinglass-*.whl")
    return built


def test_the_wheel_holds_every_module_and_no_tests(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        f"{package}/{path.relative_to(folder)}"
        for package, folder in PACKAGES.items()
        for path in (module.path for module in modules().values())
        if path.is_relative_to(folder)
    }
    assert expected <= names
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    top = {
        name.partition("/")[0] for name in names if not re.match(r"[^/]+\.(dist-info|data)/", name)
    }
    assert top == set(PACKAGES)


def test_the_wheel_has_the_command_and_the_licence(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    installed = {name.partition(".data/")[2] for name in names if ".data/" in name}
    pages = {name for name in installed if name.startswith("data/share/man/man1/isinglass")}
    assert installed - pages == {"scripts/isinglass"}
    assert "data/share/man/man1/isinglass-dump.1" in pages
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_installed_command_runs(wheel: Path, tmp_path: Path) -> None:
    install = ["install", "--no-deps", "--no-index", "--target", str(tmp_path / "site"), str(wheel)]
    subprocess.run([*PIP, *install], check=True, timeout=100)
    result = subprocess.run(
        [str(tmp_path / "site" / "bin" / "isinglass"), "--version"],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert result.stdout.startswith("isinglass 0.")
