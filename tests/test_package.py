"""The package as its users get it: what it imports, exports and tells type checkers."""

import ast
import importlib
import importlib.resources
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import backo

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "backo"
OPTIONAL = [
    "anyio",
    "boto3",
    "botocore",
    "bson",
    "fastapi",
    "flask",
    "flask_swagger_ui",
    "gridfs",
    "jose",
    "pymongo",
    "python_multipart",
    "requests",
    "rich",
    "s3transfer",
    "secantus",
    "starlette",
    "typer",
    "urllib3",
    "uvicorn",
    "werkzeug",
]
WITHOUT_EXTRAS = f"""
import sys


class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {OPTIONAL}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


sys.meta_path.insert(0, Absent())
import backo

store = backo.DBSqliteConnector(path=sys.argv[1], table="things")
office = backo.Backoffice("office")
thing = backo.Item({{"name": backo.String(required=True)}})
office.register_collection(backo.Collection("things", thing, store))
office.things.create({{"name": "a thing"}})
print(office.things.select_one({{"name": ("$reg", "a")}}).name)
print(len(office.get_openapi()["paths"]))
try:
    office.router()
except ModuleNotFoundError as error:
    print(error.name)
from backo import *
for name in ("DBMongoConnector", "FileS3Connector"):
    try:
        getattr(backo, name)
    except ImportError as error:
        print(error)
"""


def modules() -> list[str]:
    paths = (path.relative_to(ROOT).with_suffix("") for path in PACKAGE.rglob("*.py"))
    names = (".".join(path.parts).removesuffix(".__init__") for path in paths)
    return sorted(names)


def test_backo_is_a_data_layer_with_no_extra_installed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS, str(tmp_path / "things.sqlite")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    told = ["a thing", "8", "fastapi"]
    told += ["DBMongoConnector needs pymongo: pip install 'backo[mongo]'"]
    told += ["FileS3Connector needs boto3: pip install 'backo[s3]'"]
    assert done.stdout.splitlines() == told


def test_what_layers_keep_to_one_file_is_taken_for_optional_here() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    run_time = {one.split(">")[0] for one in settings["project"]["dependencies"]}
    assert run_time == {"puremagic", "pydantic", "pyyaml", "stricto"}
    forbidden = {
        module
        for contract in settings["tool"]["importlinter"]["contracts"]
        for module in contract.get("forbidden_modules", ())
    }
    assert forbidden <= set(OPTIONAL)


@pytest.mark.parametrize("name", modules())
def test_what_a_module_exports_is_there_and_sorted_out(name: str) -> None:
    module = importlib.import_module(name)
    exported = getattr(module, "__all__", None)
    if exported is None:
        assert Path(str(module.__file__)).read_text("utf-8").strip() == ""
        return
    assert len(set(exported)) == len(exported)
    for one in exported:
        assert hasattr(module, one), one


def test_the_root_exports_what_it_imports_and_nothing_else() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").partition(".")[0] == "backo"
        for alias in node.names
    }
    assert set(backo.__all__) == imported
    assert backo.__all__ == sorted(backo.__all__)


def test_no_builtin_is_shadowed_by_a_star_import() -> None:
    namespace: dict[str, object] = {}
    exec("from backo import *", namespace)  # noqa: S102 - what users may write
    assert not {"bool", "int", "float", "str", "list", "dict"} & namespace.keys()


def test_type_checkers_find_the_types() -> None:
    assert (importlib.resources.files("backo") / "py.typed").is_file()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == [
        "backo"
    ]


def test_mypy_takes_a_users_program(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--config-file=",
            f"--cache-dir={ROOT / '.mypy_cache' / 'users'}",
            str(ROOT / "tests" / "type_check" / "program.py"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
