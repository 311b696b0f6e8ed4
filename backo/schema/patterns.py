"""Regular expressions that cannot stall a server.

Patterns match from the start of the string, as :func:`re.match` does. They run on the
linear-time engine inside pydantic-core (Rust's ``regex`` crate: no look-around, no
back-references, ``$`` is the very end).
"""

import re
from collections.abc import Callable
from functools import lru_cache

from pydantic_core import SchemaError, SchemaValidator, core_schema

__all__ = ["MAX_PATTERN", "linear_matcher", "matcher"]

MAX_PATTERN = 1000
"""Characters a pattern of a request may have."""


@lru_cache(maxsize=512)
def linear_matcher(pattern: str) -> Callable[[object], bool]:
    """A function telling whether a string matches; linear in the string's length.

    :raises ValueError: the pattern is too long, or not one of the linear engine's.
    """
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"a pattern may have {MAX_PATTERN} characters at most")
    schema = core_schema.str_schema(pattern=rf"\A(?:{pattern})", strict=True)
    try:
        return SchemaValidator(schema).isinstance_python
    except SchemaError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ValueError(f"not a supported pattern: {reason}") from error


@lru_cache(maxsize=512)
def matcher(pattern: str) -> Callable[[object], bool]:
    """Like :func:`linear_matcher`, for patterns a developer declared.

    One that needs look-around or back-references falls back to :mod:`re`: the
    developer's own pattern is trusted as their code is.
    """
    try:
        return linear_matcher(pattern)
    except ValueError:
        compiled = re.compile(pattern)
        return lambda value: isinstance(value, str) and bool(compiled.match(value))
