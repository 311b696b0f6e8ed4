"""What others' tools say about the documents: no error and no warning."""

import json
import subprocess
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.npm.tools import npm_tool
from tests.openapi.offices import NAMES, office

pytestmark = pytest.mark.parametrize("name", NAMES)


def _written(name: str, folder: Path) -> Path:
    file = folder / f"{name}.json"
    file.write_text(json.dumps(office(name, folder).get_openapi()))
    return file


def _run(*command: str | Path, folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def test_openapi_spec_validator_finds_nothing(name: str, tmp_path: Path) -> None:
    document = office(name, tmp_path).get_openapi()
    assert [str(one) for one in OpenAPIV31SpecValidator(document).iter_errors()] == []


@pytest.mark.npm
def test_redocly_finds_nothing(name: str, tmp_path: Path) -> None:
    said = _run(npm_tool("redocly"), "lint", _written(name, tmp_path), folder=tmp_path)
    assert "Your API description is valid" in said
    assert " warning" not in said.replace("Deprecation warning", "")


@pytest.mark.npm
def test_spectral_finds_nothing(name: str, tmp_path: Path) -> None:
    rules = tmp_path / ".spectral.yaml"
    rules.write_text('extends: ["spectral:oas"]\n')
    said = _run(
        *(npm_tool("spectral"), "lint", "--fail-severity", "hint"),
        *("--ruleset", rules, _written(name, tmp_path)),
        folder=tmp_path,
    )
    assert "No results" in said


@pytest.mark.npm
def test_typescript_takes_the_types_made_of_it(name: str, tmp_path: Path) -> None:
    types, document = tmp_path / "api.d.ts", _written(name, tmp_path)
    said = _run(npm_tool("openapi-typescript"), document, "-o", types, folder=tmp_path)
    assert "warn" not in said.lower()
    assert "export interface paths" in types.read_text()
    _run(npm_tool("tsc"), "--noEmit", "--strict", types, folder=tmp_path)
