"""The schemas of forms with files."""

from typing import Any

from backo.http.forms import given_files
from backo.http.uploads import JSON_PART
from backo.schema.jsonschema import literal
from backo.schema.plan import FieldPlan

__all__ = ["CONTENT", "form_schema", "new_form_schema"]

type Schema = dict[str, Any]

CONTENT: Schema = {"type": "string", "format": "binary"}
"""The bytes of a file."""

_ANY = literal("[*]")
_INDEX = r"\[[0-9]{1,9}\]"
_INDEX_OR_END = r"\[[0-9]{0,9}\]"


def new_form_schema(root: FieldPlan, whole: Schema) -> Schema:
    """A form that gives all of ``root``, which ``whole`` describes: a file that is
    required may be in ``_json`` or a part of its own."""
    files = {path for path in given_files(root) if "." not in path}
    needed = [name for name in whole.get("required", ()) if name not in files]
    rest = {key: value for key, value in whole.items() if key != "required"}
    schema = form_schema(root, rest | ({"required": needed} if needed else {}))
    return {**schema, "required": [JSON_PART]} if needed else schema


def form_schema(root: FieldPlan, rest: Schema) -> Schema:
    """A form that sets the files of ``root``; ``rest`` is what ``_json`` may say."""
    files = {path: _part(one) for path, one in given_files(root).items()}
    fixed = {path: part for path, part in files.items() if "[" not in path} | {
        path.removesuffix("[*]"): {"type": "array", "items": part}
        for path, part in files.items()
        if path.endswith("[*]") and path.count("[") == 1
    }
    indexed = {
        f"^{_pattern(path)}$": part for path, part in files.items() if "[" in path
    }
    schema: Schema = {
        "type": "object",
        "description": "One part for each file, under its path; all else in _json",
        "properties": {JSON_PART: rest, **fixed},
        "additionalProperties": False,
    }
    return {**schema, "patternProperties": indexed} if indexed else schema


def _pattern(path: str) -> str:
    """What the names of parts are that this path stands for: at its end, ``[]`` adds to
    a List."""
    written, added = literal(path), path.endswith("[*]")
    last = written.removesuffix(_ANY).replace(_ANY, _INDEX)
    return last + _INDEX_OR_END if added else last


def _part(field: FieldPlan) -> Schema:
    told = {"description": field.description} if field.description else {}
    return CONTENT | told
