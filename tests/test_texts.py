"""Documents as JSON text."""

import pytest

from backo import DBError
from backo.connectors.texts import decode_document


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ('{"a": 0.1, "b": [-0.0, 1e300]}', {"a": 0.1, "b": [-0.0, 1e300]}),
        ('{"n": 123456789012345678901}', {"n": 123456789012345678901}),
        (r'{"half": "\ud800"}', {"half": "\ud800"}),
        ('{"deep": ' + "[" * 250 + "]" * 250 + "}", None),
    ],
    ids=["floats", "long", "half a surrogate pair", "deep"],
)
def test_what_is_stored_is_read(text: str, document: object) -> None:
    read = decode_document(text)
    assert "deep" in read if document is None else read == document


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1} x', "[" * 100_000])
def test_what_is_no_document_is_told(text: str) -> None:
    with pytest.raises(DBError, match="a stored document"):
        decode_document(text)
