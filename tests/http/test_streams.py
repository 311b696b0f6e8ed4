"""Bodies that are made while they are sent."""

import logging
from collections.abc import Iterator

import pytest

from backo.errors import BackoError
from backo.http.streams import Begun, Sending


class Counted(Iterator[bytes]):
    """Three pieces, that say when they are let go of."""

    def __init__(self, error: Exception | None = None) -> None:
        self.left = [b"abc", b"def", b"g"]
        self.error = error
        self.closed = 0

    def __next__(self) -> bytes:
        if self.error is not None and len(self.left) == 1:
            raise self.error
        if not self.left:
            raise StopIteration
        return self.left.pop(0)

    def close(self) -> None:
        self.closed += 1


def test_the_first_piece_is_there_before_it_is_asked_for() -> None:
    pieces = Counted()
    begun = Begun(pieces)
    assert pieces.left == [b"def", b"g"]
    assert list(begun) == [b"abc", b"def", b"g"]
    assert list(Begun(iter([]))) == []


def test_what_has_begun_may_be_closed_at_any_time() -> None:
    for read in range(4):
        pieces = Counted()
        begun = Begun(pieces)
        for _ in range(read):
            next(begun)
        begun.close()
        assert pieces.closed == 1
    Begun(iter([b"a"])).close()


def test_pieces_are_gathered_up_to_a_size() -> None:
    sending = Sending(Counted(), 7)
    assert [sending.gathered(4), sending.gathered(4)] == [b"abcdef", b"g"]
    assert sending.gathered(4) == b""
    assert Sending(Counted(), 7).gathered(3) == b"abc"
    assert Sending(Counted(), 7).gathered(9) == b"abcdefg"


@pytest.mark.parametrize("length", [6, 8, 0])
def test_another_length_than_was_said_is_an_error(
    length: int, caplog: pytest.LogCaptureFixture
) -> None:
    sending, sent = Sending(Counted(), length, "GET /x"), b""
    with pytest.raises(BackoError, match="another length"):
        for piece in sending:
            sent += piece
    assert len(sent) <= length
    assert "GET /x is cut short" in caplog.text


def test_a_length_that_nobody_knows_is_none() -> None:
    assert b"".join(Sending(Counted(), None)) == b"abcdefg"


def test_what_goes_wrong_is_logged_and_raised(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sending = Sending(Counted(OSError("the disk is gone")), 7, "GET /x")
    with pytest.raises(OSError, match="gone"), caplog.at_level(logging.ERROR):
        list(sending)
    assert "GET /x is cut short" in caplog.text
    assert "the disk is gone" in caplog.text


def test_closing_is_for_what_can_be_closed_and_never_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pieces = Counted()
    Sending(pieces, 7).close()
    assert pieces.closed == 1
    Sending(iter([]), 0).close()

    class Failing(Counted):
        def close(self) -> None:
            raise OSError("no")

    Sending(Failing(), 7, "GET /x").close()
    assert "GET /x could not be closed" in caplog.text
