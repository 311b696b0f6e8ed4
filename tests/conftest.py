"""Fixtures that many tests share."""

from collections.abc import Iterator

import pytest

from backo import current_user

pytest_plugins = ["tests.mongo", "tests.s3"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest."""
    items.sort(key=lambda one: one.get_closest_marker("longest") is None)


@pytest.fixture(autouse=True)
def own_user() -> Iterator[None]:
    """Each test begins anonymous, and leaves no user behind."""
    with current_user.request():
        yield
