"""Operators that stricto's types lack: with a plain value on the left, of one operand,
and the truth of a value."""

import operator
from collections.abc import Callable
from typing import Any

__all__ = ["Operators", "Truth"]


def _reflected(apply: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        return apply(other, self.get_value())

    return method


class Operators:
    """``1 + node``, ``-node``, ``round(node)``: plain values, as ``node + 1`` is."""

    __radd__ = _reflected(operator.add)
    __rsub__ = _reflected(operator.sub)
    __rmul__ = _reflected(operator.mul)
    __rtruediv__ = _reflected(operator.truediv)
    __rfloordiv__ = _reflected(operator.floordiv)
    __rmod__ = _reflected(operator.mod)
    __rpow__ = _reflected(operator.pow)

    def __neg__(self: Any) -> Any:
        return -self.get_value()

    def __abs__(self: Any) -> Any:
        return abs(self.get_value())

    def __round__(self: Any, digits: int | None = None) -> Any:
        return round(self.get_value(), digits)

    def __int__(self: Any) -> int:
        return int(self.get_value())

    def __float__(self: Any) -> float:
        return float(self.get_value())


class Truth:
    """``if node:`` asks for its value; an unset one is false."""

    def __bool__(self: Any) -> bool:
        return bool(self.get_value())
