"""The field types of an Item: stricto's, with what stricto 0.3.1 gets wrong mended.

Each is a subclass of stricto's type of that name and takes the same options. What they
share is told at :class:`backo.schema._mending.Mended`, the rest at each class. Nodes of
stricto's own types inside a schema of ours become ours at declaration.
"""

import copy
import ipaddress
import math
from typing import Any
from urllib.parse import SplitResult, urlsplit

import stricto
from stricto import (
    GenericType,
    Operator,
    SConstraintError,
    SFilter,
    SSyntaxError,
    STypeError,
    ViewType,
)
from stricto.extended.date_time import trunk_microseconds

from backo.schema._collecting import Faults, faults_of
from backo.schema._dict import Dict
from backo.schema._in import In
from backo.schema._mending import REPLACED, Mended
from backo.schema._operators import Truth
from backo.schema._sequences import List, Tuple
from backo.schema.patterns import matcher
from backo.schema.wire import INT_MAX, INT_MIN, check_json, microseconds

__all__ = [
    "Bool",
    "Bytes",
    "Complex",
    "Datetime",
    "Dict",
    "Extend",
    "Faults",
    "Float",
    "FreeDict",
    "GenericType",
    "In",
    "Int",
    "Ipaddress",
    "Ipnetwork",
    "List",
    "Mended",
    "Operator",
    "SFilter",
    "String",
    "Tuple",
    "Url",
    "ViewType",
    "faults_of",
]


class String(Mended, stricto.String):  # type: ignore[misc]
    """Text.

    stricto 0.3.1 matches patterns with :mod:`re`, which can take forever; here the
    linear-time engine of :mod:`backo.schema.patterns` does, from the start of the text.

    :raises SSyntaxError: a pattern is no regular expression.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for pattern in self._regexps:
            if not callable(pattern):
                self._node_matcher(pattern)

    def _node_matcher(self, pattern: str) -> Any:
        try:
            return matcher(pattern)
        except Exception as error:
            raise SSyntaxError(
                '{0}: "{pattern}" is no pattern', self.path_name(), pattern=pattern
            ) from error

    def __len__(self) -> int:
        return len(self._value or "")

    def check_constraints(self, value: Any) -> bool:
        if value is None:
            return True
        GenericType.check_constraints(self, value)
        for declared in self._regexps:
            pattern = self._get_args_or_execute_them(declared, value)
            if not self._node_matcher(pattern)(value):
                raise SConstraintError(
                    '{0}: Dont match regexp (value="{value}")',
                    self.path_name(),
                    value=value,
                )
        return True


class Int(Truth, Mended, stricto.Int):  # type: ignore[misc]
    """A whole number of 64 bits.

    stricto 0.3.1 takes True and False, and numbers of any size; here STypeError and
    SConstraintError. Zero and unset are false in an ``if``.
    """

    def check_type(self, value: Any) -> bool:
        if isinstance(value, bool):
            raise STypeError(
                '{0}: Must be a int ("{value}")', self.path_name(), value=value
            )
        super().check_type(value)
        return True

    def _node_typed(self, value: Any) -> Any:
        self.check_type(value)
        if not INT_MIN <= value <= INT_MAX:
            raise SConstraintError("{0}: Must fit in 64 bits", self.path_name())
        return value


class Float(Truth, Mended, stricto.Float):  # type: ignore[misc]
    """A finite number.

    stricto 0.3.1 refuses whole numbers (1, also as ``min=`` and ``max=``) and takes NaN
    and infinities; here 1 is held as 1.0, and those are SConstraintErrors.
    """

    def __init__(self, **kwargs: Any) -> None:
        for bound in ("min", "minimum", "max", "maximum"):
            if type(kwargs.get(bound)) is int:
                kwargs[bound] = float(kwargs[bound])
        super().__init__(**kwargs)

    def check_type(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(
            value, (int, float, stricto.Float)
        ):
            raise STypeError(
                '{0}: Not a float (value="{value}")', self.path_name(), value=value
            )
        return True

    def _node_typed(self, value: Any) -> float:
        self.check_type(value)
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise SConstraintError("{0}: Must be a finite number", self.path_name())
        return number

    def __json_encode__(self) -> float | None:
        return None if self._value is None else float(self._value)


class Bool(Truth, Mended, stricto.Bool):  # type: ignore[misc]
    """True or False.

    stricto 0.3.1 has every Bool be true in an ``if``; here False and unset are false.
    """


class Extend(Mended, stricto.Extend):  # type: ignore[misc]
    """A value of any Python type: the base of users' own field types.

    A subclass gives ``__json_encode__`` and ``__json_decode__``. stricto 0.3.1 says
    SError, or lets the exception through, when text cannot be decoded, and takes text
    where decoding gives another type; here both are STypeErrors.
    """

    def _node_python_types(self) -> Any:
        return self._type

    def check_type(self, value: Any) -> bool:
        wanted = self._node_python_types()
        if isinstance(value, str) and not isinstance(value, wanted):
            value = self._node_decoded(value)
        if not isinstance(value, (wanted, type(self))):
            raise self._node_wrong(value)
        return True

    def _node_wrong(self, value: Any) -> STypeError:
        return STypeError(
            '{0}: Must be a {name} (value="{value}")',
            self.path_name(),
            name=type(self).__name__,
            value=value,
        )


class Bytes(Extend, stricto.Bytes):  # type: ignore[misc]
    """Bytes; base64 text in JSON."""


class Datetime(Extend, stricto.Datetime):  # type: ignore[misc]
    """A moment; ISO 8601 text in JSON.

    - stricto 0.3.1 cuts microseconds off datetimes but not off text, nor defaults; here
      off all of them, unless there is a ``transform=``.
    - stricto cannot compare a moment without offset with a bound that has one; here
      the one without is taken to be in UTC.
    """

    def _node_typed(self, value: Any) -> Any:
        self.check_type(value)
        if self._transform is trunk_microseconds:
            return value.replace(microsecond=0)
        return value

    def check_constraints(self, value: Any) -> bool:
        if value is None:
            return True
        GenericType.check_constraints(self, value)
        if self._min is not None and microseconds(value) < microseconds(self._min):
            raise self._node_out_of_bounds("Must be above Minimal", value)
        if self._max is not None and microseconds(value) > microseconds(self._max):
            raise self._node_out_of_bounds("Must be below Maximal", value)
        return True

    def _node_out_of_bounds(self, what: str, value: Any) -> SConstraintError:
        return SConstraintError(
            f'{{0}}: {what} (value="{{value}}")', self.path_name(), value=value
        )


class FreeDict(Extend, stricto.FreeDict):  # type: ignore[misc]
    """Any JSON object.

    stricto 0.3.1 takes any text and dicts that are no JSON, and shares the dict among
    the copies of a node; here STypeError, and a copy of its own for each.
    """

    def check_type(self, value: Any) -> bool:
        super().check_type(value)
        try:
            check_json(value)
        except (ValueError, RecursionError) as error:
            raise STypeError(
                "{0}: Must be JSON: {error}", self.path_name(), error=str(error)
            ) from error
        return True

    def _node_typed(self, value: Any) -> Any:
        self.check_type(value)
        return copy.deepcopy(value)

    def _node_differs(self, accepted: Any) -> bool:
        # 1, 1.0 and True are equal in Python, and different in JSON.
        return repr(accepted) != repr(self._value)

    def __json_encode__(self) -> Any:
        return copy.deepcopy(self._value)


class Ipaddress(Extend, stricto.Ipaddress):  # type: ignore[misc]
    """An IPv4 or IPv6 address.

    stricto 0.3.1 takes whole numbers and lets ValueError through; here STypeError.
    """

    def _node_python_types(self) -> Any:
        return ipaddress.IPv4Address | ipaddress.IPv6Address

    def check_type(self, value: Any) -> bool:
        # An interface (1.2.3.4/24) is an address to Python, and no text of one.
        if isinstance(value, ipaddress.IPv4Interface | ipaddress.IPv6Interface):
            raise self._node_wrong(value)
        return super().check_type(value)


class Ipnetwork(Extend, stricto.Ipnetwork):  # type: ignore[misc]
    """An IPv4 or IPv6 network, in CIDR notation.

    stricto 0.3.1 takes whole numbers and lets ValueError through; here STypeError.
    """

    def _node_python_types(self) -> Any:
        return ipaddress.IPv4Network | ipaddress.IPv6Network


class Url(Extend, stricto.Url):  # type: ignore[misc]
    """A URL with a scheme and a host; a :class:`urllib.parse.SplitResult` in Python.

    stricto 0.3.1 says SError for malformed text and takes a malformed SplitResult; here
    STypeError.
    """

    def __json_decode__(self, value: str) -> SplitResult:
        parts = urlsplit(value)
        if not parts.scheme or not parts.netloc:
            raise ValueError("a URL needs a scheme and a host")
        return parts

    def check_type(self, value: Any) -> bool:
        super().check_type(value)
        if isinstance(value, SplitResult):
            self._node_decoded(value.geturl())
        return True

    def _node_typed(self, value: Any) -> Any:
        self.check_type(value)
        return self._node_decoded(value.geturl())


class Complex(Dict, stricto.Complex):  # type: ignore[misc]
    """A complex number, held as ``real`` and ``imag``; both take whole numbers."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__({"real": Float(), "imag": Float()}, **kwargs)


REPLACED.update(
    {
        stricto.Bool: Bool,
        stricto.Bytes: Bytes,
        stricto.Complex: Complex,
        stricto.Datetime: Datetime,
        stricto.Dict: Dict,
        stricto.Extend: Extend,
        stricto.Float: Float,
        stricto.FreeDict: FreeDict,
        stricto.In: In,
        stricto.Int: Int,
        stricto.Ipaddress: Ipaddress,
        stricto.Ipnetwork: Ipnetwork,
        stricto.List: List,
        stricto.String: String,
        stricto.Tuple: Tuple,
        stricto.Url: Url,
    }
)
