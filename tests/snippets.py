"""Runs the snippets of a Markdown page, one after the other in one namespace.

``python`` blocks run as they are; one that begins with ``# name.py`` is in a file of
that name too. In ``console`` blocks, ``curl`` asks the page's ``app``, ``cat`` and
``ls`` look at its files, and ``backo`` is the command; what follows one is what it
prints, where ``...`` stands for anything and white space does not count. ``json``
blocks must be JSON and become ``shown``. ``sh`` blocks are not run.
"""

import argparse
import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from doctest import ELLIPSIS
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sybil import Document, Example
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser
from urllib3 import encode_multipart_formdata

from tests.cli.running import backo

__all__ = ["code_blocks", "commands", "is_like", "run_page"]

type Answer = tuple[int, Iterable[tuple[str, str]], str]


def run_page(path: Path) -> int:
    """Run every snippet of the page; gives how many there are.

    :raises SybilFailure: one of them did not do what the page says.
    """
    page = Document.parse(
        str(path),
        PythonCodeBlockParser(doctest_optionflags=ELLIPSIS),
        CodeBlockParser("console", _run_console),
        CodeBlockParser("json", _read_json),
    )
    page.namespace["__name__"] = path.stem
    for language, text in code_blocks(path):
        if language == "python" and (named := re.match(r"# (\w+\.py)\n", text)):
            Path(named[1]).write_text(text, "utf-8")
    examples = list(page.examples())
    for example in examples:
        example.evaluate()
    return len(examples)


def code_blocks(path: Path) -> list[tuple[str, str]]:
    """The language and the text of every code block of the page."""
    text = path.read_text("utf-8")
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def _read_json(example: Example) -> None:
    example.namespace["shown"] = json.loads(example.parsed)


def _run_console(example: Example) -> str | None:
    for command, expected in commands(example.parsed):
        program, *arguments = shlex.split(command)
        printed = _PROGRAMS[program](arguments, example.namespace)
        if not is_like(printed, expected):
            return f"$ {command}\nprints\n{printed}\nand not\n{expected}"
    return None


def commands(text: str) -> list[tuple[str, str]]:
    """Each command of a console block, with what it is said to print."""
    joined = text.replace("\\\n", " ")
    parts = re.split(r"^\$ (.*)$", joined, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def is_like(printed: str, expected: str) -> bool:
    """Whether that was printed, where ``...`` is anything and white space nothing."""
    pieces = re.sub(r"\s+", "", expected).split("...")
    pattern = ".*".join(map(re.escape, pieces))
    return re.fullmatch(pattern, re.sub(r"\s+", "", printed), re.DOTALL) is not None


def _curl(arguments: list[str], namespace: Mapping[str, Any]) -> str:
    asked = _CURL.parse_args(arguments)
    address = urlsplit(asked.url)
    query = [address.query] if address.query else []
    if asked.get:
        pairs = (one.partition("=") for one in asked.data_urlencode)
        query += [f"{name}={quote(value)}" for name, _, value in pairs]
    headers = dict(re.split(r":\s*", one, maxsplit=1) for one in asked.header)
    headers.setdefault("Accept", "*/*")
    body = asked.data if asked.json is None else asked.json
    if asked.json is not None:
        headers.setdefault("Content-Type", "application/json")
        headers["Accept"] = "application/json"
    if asked.form:
        body, headers["Content-Type"] = encode_multipart_formdata(_parts(asked.form))
    if asked.range is not None:
        headers["Range"] = f"bytes={asked.range}"
    method = asked.request or ("GET" if body is None else "POST")
    target = "?".join([address.path, *filter(None, ["&".join(query)])])
    return _printed(
        _ask(namespace["app"], method, target, headers, body), asked.include
    )


def _parts(given: list[str]) -> list[tuple[str, Any]]:
    """Parts of a form as curl takes them: ``name=text``, ``name=@file``."""
    pairs = (one.partition("=") for one in given)
    return [
        (name, (value[1:], Path(value[1:]).read_bytes()) if value[:1] == "@" else value)
        for name, _, value in pairs
    ]


def _printed(answer: Answer, include: bool) -> str:
    status, headers, body = answer
    if not include:
        return body
    head = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    return "\n".join([*head, *(f"{k.lower()}: {v}" for k, v in headers), "", body])


def _ask(
    app: Any, method: str, target: str, headers: dict[str, str], body: Any
) -> Answer:
    if isinstance(app, FastAPI):
        with TestClient(app) as client:
            got = client.request(method, target, headers=headers, content=body)
            return got.status_code, got.headers.multi_items(), got.text
    given = app.test_client().open(target, method=method, headers=headers, data=body)
    return given.status_code, list(given.headers), given.get_data(as_text=True)


def _cat(arguments: list[str], _namespace: Mapping[str, Any]) -> str:
    return "".join(Path(name).read_text("utf-8") for name in arguments)


def _ls(arguments: list[str], _namespace: Mapping[str, Any]) -> str:
    shown = (one.name for folder in arguments for one in Path(folder).iterdir())
    return "\n".join(sorted(name for name in shown if not name.startswith(".")))


def _backo(arguments: list[str], _namespace: Mapping[str, Any]) -> str:
    # What people see: its results, and then what it says about them.
    done = backo(Path(), *arguments)
    return done.stdout + done.stderr


def _curl_options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("curl", exit_on_error=False)
    parser.add_argument("url")
    parser.add_argument("-i", "--include", action="store_true")
    parser.add_argument("-G", "--get", action="store_true")
    parser.add_argument("-X", "--request")
    parser.add_argument("-H", "--header", action="append", default=[])
    parser.add_argument("-d", "--data")
    parser.add_argument("--json")
    parser.add_argument("-F", "--form", action="append", default=[])
    parser.add_argument("-r", "--range")
    parser.add_argument("--data-urlencode", action="append", default=[])
    return parser


_CURL = _curl_options()
_PROGRAMS: Mapping[str, Callable[[list[str], Mapping[str, Any]], str]] = {
    "backo": _backo,
    "curl": _curl,
    "cat": _cat,
    "ls": _ls,
}
