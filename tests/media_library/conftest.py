"""A media library that has its people and media."""

import shutil
from pathlib import Path

import pytest

from examples.media_library.doors import secret_in
from examples.media_library.model import media_library
from examples.media_library.seed import seed


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a library that was seeded once."""
    folder = tmp_path_factory.mktemp("library") / "data"
    secret_in(folder)
    assert seed(media_library(folder))
    return folder


@pytest.fixture
def folder(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Such a folder of the test's own, which the applications use."""
    own = Path(shutil.copytree(filled, tmp_path / "data"))
    monkeypatch.setenv("MEDIA_LIBRARY_DATA", str(own))
    return own
