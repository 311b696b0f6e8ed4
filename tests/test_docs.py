"""The documentation: every snippet runs, and nothing public is left out of it."""

import inspect
import logging
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stricto import generic
from stricto import int as stricto_int
from stricto import list as stricto_list
from stricto import string as stricto_string
from typer.core import TyperGroup
from typer.main import get_command

import backo
from backo import Action, Backoffice, Collection, DBConnector, Item, String, errors
from backo.cli.app import app
from backo.connectors.memory import DBMemoryConnector
from backo.errors import BackoError
from backo.http.auth import JWTAuth
from backo.http.endpoints import table
from backo.http.parameters import page_parameters
from backo.http.problems import HTTP_ERRORS
from backo.openapi.ui import ApiPages
from backo.query.filter import Op
from backo.schema.faults import CODES, OWN_CODES, STRICTO_CODES
from tests.snippets import code_blocks, run_page

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
README = ROOT / "README.md"


def text_of(*names: str) -> str:
    return "\n".join((ROOT / "docs" / name).read_text("utf-8") for name in names)


def in_code(text: str) -> set[str]:
    """Every word that stands in code of the text: between backticks or in a block."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    code = " ".join([*blocks, *re.findall(r"`([^`\n]+)`", rest)])
    return set(re.findall(r"\$?[\w-]+", code))


# --- Snippets ---------------------------------------------------------------------


@pytest.fixture
def own_log() -> Iterator[None]:
    """What a page does to backo's loggers is undone."""
    root = logging.getLogger("backo")
    handlers, names = root.handlers[:], [root.name, *_below(root)]
    levels = {name: logging.getLogger(name).level for name in names}
    yield
    root.handlers[:] = handlers
    for name in [root.name, *_below(root)]:
        logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))


def _below(root: logging.Logger) -> list[str]:
    known = logging.root.manager.loggerDict
    return [name for name in known if name.startswith(f"{root.name}.")]


@pytest.mark.usefixtures("own_log")
@pytest.mark.parametrize("page", [*PAGES, README], ids=lambda page: page.stem)
def test_every_snippet_runs(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    if "MONGO_URI" in page.read_text("utf-8"):
        uri = request.getfixturevalue("mongo_database")
        monkeypatch.setenv("MONGO_URI", uri)
    if "S3_BUCKET" in page.read_text("utf-8"):
        bucket = request.getfixturevalue("s3_bucket")
        for name, value in bucket.environment.items():
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert run_page(page) > 0


@pytest.mark.parametrize("page", [*PAGES, README], ids=lambda page: page.stem)
def test_every_block_of_code_is_of_a_language_that_is_tested(page: Path) -> None:
    languages = {language for language, _ in code_blocks(page)}
    assert languages <= {"python", "console", "json", "sh"}


def commands() -> Iterator[str]:
    for page in [*PAGES, README]:
        for language, text in code_blocks(page):
            if language == "sh":
                yield from text.splitlines()


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = {one for line in commands() for one in re.findall(r"\bmake (\w+)", line)}
    assert targets
    assert targets <= set(re.findall(r"^(\w+):", makefile, re.MULTILINE))


def test_every_extra_that_is_named_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = [
        extra for line in commands() for extra in re.findall(r"backo\[(.+?)\]", line)
    ]
    assert named
    assert {one for names in named for one in names.split(",")} <= set(
        project["optional-dependencies"]
    )


def test_every_link_between_pages_leads_somewhere() -> None:
    for page in [*PAGES, README, ROOT / "ARCHITECTURE.md", ROOT / "CHANGELOG.md"]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_picture_of_the_readme_is_small() -> None:
    pictures = list((ROOT / "docs" / "pictures").iterdir())
    assert pictures
    assert all(one.stat().st_size < 200_000 for one in pictures)


# --- Nothing left out -------------------------------------------------------------


def test_every_public_name_is_documented() -> None:
    assert (
        set(backo.__all__) - in_code(text_of(*(page.name for page in PAGES))) == set()
    )


def errors_with_a_status() -> list[type[BackoError]]:
    named = (getattr(errors, name) for name in errors.__all__)
    own = [one for one in named if inspect.isclass(one) and issubclass(one, BackoError)]
    return [*own, *HTTP_ERRORS]


@pytest.mark.parametrize("error", errors_with_a_status(), ids=lambda one: one.__name__)
def test_every_problem_code_is_documented_with_its_status(
    error: type[BackoError],
) -> None:
    row = f"| {error.status} | `{error.code}` |"
    # A client only ever sees `internal`: what else is a 500 is not told to it.
    assert row in text_of("http.md") or error.status == 500


def test_every_code_of_a_fault_is_documented() -> None:
    written = r'Fault\(\s*[^()]*?(?:\([^()]*\)[^()]*?)*"(\w+)"\s*\)'
    literal = {
        code
        for module in (ROOT / "backo").rglob("*.py")
        for code in re.findall(written, module.read_text("utf-8"))
    }
    assert {"patch", "path"} <= literal
    known = {*CODES.values(), *STRICTO_CODES.values(), *OWN_CODES, *literal}
    assert known - in_code(text_of("http.md")) == set()


def office() -> Backoffice:
    made = Backoffice("office")
    things = Collection("things", Item({"name": String()}), DBMemoryConnector())
    things.register_action("act", Action({}, lambda action, item: None))
    made.register_collection(things)
    return made


def test_every_endpoint_is_documented() -> None:
    made = office()
    page = text_of("http.md")
    for row in table(made, "", ApiPages(made, "")):
        path = row.path.removeprefix("/office").replace("/things", "/{coll}")
        path = path.replace("/_selections/_all", "/_selections/{name}")
        path = path.replace("/_actions/act/", "/_actions/{action}/")
        assert f"`{row.method} {path}`" in page or not row.documented, path


def test_every_parameter_of_a_list_is_documented() -> None:
    names = {one.name for one in page_parameters(office().things.plan, 10, 1000)}
    operators = {op.value for op in Op} | {"$and", "$or", "$not"}
    assert names | operators | {"filter"} <= in_code(text_of("filters.md"))


PAGE_OF = {
    "DBMongoConnector": "mongodb.md",
    "DBRedirect": "rest.md",
    "DBRestfullConnector": "rest.md",
}
"""The connectors that have a page of their own."""


def connectors() -> list[type[DBConnector]]:
    public = (getattr(backo, name) for name in backo.__all__)
    return [
        one for one in public if inspect.isclass(one) and issubclass(one, DBConnector)
    ]


def page_about(connector: type[DBConnector]) -> str:
    return PAGE_OF.get(connector.__name__, "connectors.md")


def options(function: Callable[..., object]) -> set[str]:
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    parameters = inspect.signature(function).parameters.values()
    return {
        one.name for one in parameters if one.kind not in kinds and one.name != "self"
    }


@pytest.mark.parametrize(
    ("function", "page"),
    [
        (Backoffice, "http.md"),
        (Backoffice.router, "fastapi.md"),
        (Backoffice.build_routes, "flask.md"),
        (Backoffice.get_openapi, "authentication.md"),
        (JWTAuth, "authentication.md"),
        (Collection, "rights.md"),
        (Backoffice.migrate, "migrations.md"),
        (Collection.migrate, "migrations.md"),
        (Collection.select, "filters.md"),
        (Item, "items.md"),
        *((one, page_about(one)) for one in connectors()),
    ],
)
def test_every_option_is_documented(function: Callable[..., object], page: str) -> None:
    assert options(function) - in_code(text_of(page)) == set()


def test_every_command_and_its_options_are_documented() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    shown = in_code(text_of(*(page.name for page in PAGES)))
    for name, command in group.commands.items():
        assert name in shown
        for one in command.params:
            long = {option for option in one.opts if option.startswith("--")}
            assert long <= shown, name


def test_every_option_of_a_field_is_documented() -> None:
    # `required` has the alias that everybody uses for its own name.
    models = (
        generic.KPARSE_MODEL,
        stricto_int.KPARSE_MODEL,
        stricto_list.KPARSE_MODEL,
        stricto_string.KPARSE_MODEL,
    )
    page = in_code(text_of("items.md"))
    for aliases in {name for model in models for name in model}:
        assert set(aliases.split("|")) & page, aliases


# --- The architecture -------------------------------------------------------------


def modules() -> set[str]:
    """Every module that has a public name, as ``http/patch.py``."""
    package = ROOT / "backo"
    paths = (path.relative_to(package).as_posix() for path in package.rglob("*.py"))
    return {path for path in paths if not Path(path).name.startswith("_")}


def modules_of_the_architecture() -> set[str]:
    """The modules that stand in the rows of its table, each below its layer."""
    rows = re.findall(
        r"^\| (`.*?`) \|(.*)\|$",
        (ROOT / "ARCHITECTURE.md").read_text("utf-8"),
        re.MULTILINE,
    )
    found = set()
    for layer, told in rows:
        for name in re.findall(r"`([\w/]+(?:\.py)?)`", layer):
            if name.endswith("/"):
                found |= {f"{name}{one}" for one in re.findall(r"`(\w+\.py)`", told)}
            else:
                found.add(name)
    return {name for name in found if not Path(name).name.startswith("_")}


def test_the_architecture_names_every_module_and_no_other() -> None:
    assert modules_of_the_architecture() == modules()
