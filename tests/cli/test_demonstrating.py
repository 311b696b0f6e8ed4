"""``backo demo`` as it is installed: the bookcase below backo, and nothing else of the
project. ``tests/test_demo.py`` has what it says and does."""

import re
import shutil
import tomllib
from pathlib import Path

import httpx
import pytest

from tests.cli.running import ROOT, backo, environment, serving


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with what a wheel of backo has."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    folder = tmp_path_factory.mktemp("site")
    for source in wheel["only-include"]:
        place = folder / wheel["sources"].get(source, source)
        shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("*.pyc"))
    return folder


@pytest.mark.slow
def test_the_bookcase_is_served_from_any_folder(site: Path, tmp_path: Path) -> None:
    own = {"PYTHONPATH": str(site), "PYTHONPYCACHEPREFIX": str(tmp_path / "bytecode")}
    with serving(tmp_path, "demo", "--port=0", until="Stop it", more=own) as served:
        found = re.search(r"The books +(\S+)", served.said)
        assert found
        answer = httpx.get(f"{found[1]}?title=Emma", trust_env=False)
        assert answer.json()["total"] == 1
    assert (tmp_path / ".demo" / "bookcase.sqlite").exists()
    done = backo(tmp_path, "check", "backo.bookcase.apps:office", **own)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("absent", "options", "extra"),
    [
        ("pycountry", [], "demo"),
        ("fastapi", [], "fastapi"),
        ("uvicorn", [], "fastapi"),
        ("flask", ["--flask"], "flask"),
    ],
)
def test_what_is_not_installed_is_told(
    tmp_path: Path, absent: str, options: list[str], extra: str
) -> None:
    words = f"No module named {absent!r}"
    (tmp_path / f"{absent}.py").write_text(
        f"raise ModuleNotFoundError({words!r}, name={absent!r})\n"
    )
    path = f"{tmp_path}:{environment()['PYTHONPATH']}"
    done = backo(tmp_path, "demo", "--port=0", *options, PYTHONPATH=path)
    assert (done.returncode, done.stdout) == (1, "")
    assert f'needs {absent}: pip install "backo[{extra}]"' in done.stderr
    assert "Traceback" not in done.stderr
