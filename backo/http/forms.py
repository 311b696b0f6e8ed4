"""Which files may come with a form, and how they are described."""

from collections.abc import Iterator, Mapping

from backo.http.uploads import JSON_PART
from backo.schema.plan import FieldPlan

__all__ = ["encodings", "file_paths", "given_files"]


def file_paths(field: FieldPlan) -> list[str]:
    """The paths of all files below: ``cover``, ``pages[*].scan``."""
    return [_path(one) for one in _files(field)]


def given_files(field: FieldPlan) -> Mapping[str, FieldPlan]:
    """The files that a caller may set, by their paths."""
    return {_path(one): one for one in _files(field) if not one.read_only}


def encodings(field: FieldPlan, json: str) -> Mapping[str, str]:
    """The media types of the parts of a form, by their names; ``json``: of what is no
    file."""
    files = given_files(field)
    if not files:
        return {}
    taken = {
        path.removesuffix("[*]"): ", ".join(
            one.file.mime_types or ("application/octet-stream",)
        )
        for path, one in files.items()
        if one.file is not None and "[" not in path.removesuffix("[*]")
    }
    return {JSON_PART: json, **taken}


def _files(field: FieldPlan) -> Iterator[FieldPlan]:
    return (one for one in field.walk() if one.file is not None)


def _path(field: FieldPlan) -> str:
    return field.path.removeprefix("$.")
