"""Patterns: what they match, and what a request may not ask for."""

import json
from collections.abc import Callable

import pytest

from backo import FilterError, Int, Item, List, String
from backo.query.builder import MAX_PATTERNS
from backo.query.filter import Filter
from backo.query.parse import parse_json, parse_python
from backo.schema.compiler import compile_item
from backo.schema.patterns import (
    MAX_CHOICES,
    MAX_PATTERN,
    MAX_SIZE,
    check_weight,
    linear_matcher,
    matcher,
)

PLAN = compile_item("things", Item({"t": String(), "n": Int(), "l": List(String())}))


def asked(*patterns: str) -> Filter:
    conditions = [{"t": {"$reg": pattern}} for pattern in patterns]
    return parse_json({"$or": conditions}, PLAN, lambda field: True)


@pytest.mark.parametrize("compiled", [linear_matcher, matcher])
def test_a_pattern_cannot_close_the_parenthesis_it_stands_in(
    compiled: Callable[[str], object],
) -> None:
    with pytest.raises(Exception, match="unopened group|unbalanced parenthesis"):
        compiled("a)|(?:b")


@pytest.mark.parametrize(
    "pattern",
    [
        "Emma.*Woodhouse",
        r"(?i).*\bemma\b",
        r"\w+@\w+(?:\.\w+)+",
        r".*\d{4}-\d{2}-\d{2}T\d{2}:\d{2}",
        ".*[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "[0-9a-f]{64}",
        ".*" + "a" * (MAX_PATTERN - 2),
        "(?<x>a)",
        r"[^]\]x{9999}]",
        r"\x{41}\b{start}",
        r"\p{Greek}{5}",
    ],
)
def test_common_patterns_are_light_enough(pattern: str) -> None:
    check_weight(pattern)
    linear_matcher.__wrapped__(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"\w{200}x",
        r"[\w]{200}",
        r"\p{Greek}{200}",
        r"[(?<]\w{200}>",
        r"[[:alpha:]\w]{200}",
        r"[]]\w{200}",
        "(?:a{0,100}){0,100}b",
        "(?:a{100}b{,100}){10}",
        "a{10}{10}{100}",
        "a{999999999}",
        ".*a.{100}",
        f".*{'[ab]' * (MAX_CHOICES + 1)}",
        f"(?:.a){{{MAX_CHOICES + 1},}}",
        "(?:a|b)" * (MAX_CHOICES + 1) + "+",
        r"(?x)#[" + "\n" + r"\w{200}",
        "(?i-x:a)",
        "a" * (MAX_PATTERN + 1),
    ],
)
def test_a_pattern_of_a_request_is_refused_when_it_costs_too_much(
    pattern: str,
) -> None:
    with pytest.raises(FilterError, match="pattern"):
        asked(pattern)


def test_a_pattern_of_a_request_may_be_as_large_as_documented() -> None:
    asked(f"a{{{MAX_SIZE}}}", ".*" + "." * (MAX_CHOICES - 2))


def test_a_filter_of_a_request_has_few_patterns() -> None:
    many = [f"a{at}" for at in range(MAX_PATTERNS + 1)]
    asked(*many[1:])
    with pytest.raises(FilterError, match=f"{MAX_PATTERNS} patterns at most"):
        asked(*many)


def test_patterns_of_the_developer_may_be_large() -> None:
    assert matcher(r"\w{200}")("é" * 200)
    assert matcher("(?:a{0,100}){0,100}")("a")
    parse_python({"t": ("$reg", "(?:a{0,100}){0,100}")}, PLAN, lambda field: True)


def test_an_unreadable_pattern_is_refused_with_words() -> None:
    with pytest.raises(FilterError, match="not a supported pattern"):
        parse_json(json.loads('{"t": {"$reg": "a)"}}'), PLAN, lambda field: True)
