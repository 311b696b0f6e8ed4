"""Which bytes a client wants."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backo.http.problems import RangeError
from backo.http.ranges import asked_ranges


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("bytes=0-4", [(0, 5)]),
        ("bytes=95-", [(95, 100)]),
        ("bytes=-5", [(95, 100)]),
        ("bytes=-500", [(0, 100)]),
        ("bytes=0-", [(0, 100)]),
        ("bytes=90-500", [(90, 100)]),
        ("BYTES = 0-4", [(0, 5)]),
        ("bytes=,0-4, ,", [(0, 5)]),
        ("bytes=0-4 ,\t10-14", [(0, 5), (10, 15)]),
        ("bytes=10-14,0-4", [(10, 15), (0, 5)]),
        ("bytes=0-4,5-9", [(0, 10)]),
        ("bytes=20-24,0-4,22-30", [(20, 31), (0, 5)]),
        ("bytes=30-34,0-4,2-32", [(0, 35)]),
        ("bytes=0-4,200-300", [(0, 5)]),
        (f"bytes=0-{'9' * 5000}", [(0, 100)]),
        (f"bytes=-{'9' * 5000}", [(0, 100)]),
        ("bytes=" + ",".join(f"{n}-{n}" for n in range(0, 32, 2)), None),
    ],
)
def test_ranges_that_are_asked_for(
    header: str, found: list[tuple[int, int]] | None
) -> None:
    sixteen = [(n, n + 1) for n in range(0, 32, 2)]
    assert asked_ranges(header, 100) == (found or sixteen)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-4",
        "bytes=0-4,5-4",
        "bytes=0-4;5-9",
        "bytes=0 - 4",
        "bytes=+1-4",
        "bytes=١-٢",
        "bytes=1-2-3",
        "items=0-4",
        "none",
        "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 34, 2)),
        "bytes=0-,0-",
        "bytes=0-60,30-99",
    ],
)
def test_what_asks_for_the_whole(header: str | None) -> None:
    assert asked_ranges(header, 100) is None


@pytest.mark.parametrize(
    "header", ["bytes=100-", "bytes=-0", "bytes=200-300", f"bytes={'9' * 5000}-"]
)
def test_bytes_that_are_not_there(header: str) -> None:
    with pytest.raises(RangeError) as raised:
        asked_ranges(header, 100)
    assert raised.value.size == 100


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=-5", "bytes=5-"])
def test_of_nothing_the_whole_is_the_answer(header: str) -> None:
    assert asked_ranges(header, 0) is None


SPECS = st.tuples(
    st.none() | st.integers(0, 130), st.none() | st.integers(0, 130)
).filter(lambda spec: spec != (None, None))


@given(st.lists(SPECS, min_size=1, max_size=18), st.integers(0, 120))
def test_ranges_are_slices(
    specs: list[tuple[int | None, int | None]], size: int
) -> None:
    content = list(range(size))
    header = "bytes=" + ",".join(
        f"{'' if first is None else first}-{'' if last is None else last}"
        for first, last in specs
    )
    wanted: list[list[int]] = []
    for first, last in specs:
        if first is None:
            wanted.append(content[-last:] if last else [])
        else:
            wanted.append(content[first : None if last is None else last + 1])
    try:
        found = asked_ranges(header, size)
    except RangeError:
        assert not any(wanted)
        return
    if found is None:
        backwards = any(
            first is not None and last is not None and last < first
            for first, last in specs
        )
        much = sum(map(len, wanted)) > size
        assert backwards or much or len(specs) > 16 or size == 0
        return
    sent = [number for start, stop in found for number in content[start:stop]]
    assert sorted(sent) == sorted({number for one in wanted for number in one})
    for (_, stop), (start, _) in zip(sorted(found), sorted(found)[1:], strict=False):
        assert stop < start
