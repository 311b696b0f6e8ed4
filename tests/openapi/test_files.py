"""What the document says of files, and a client made of it that sends and fetches
some."""

import re
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.files.albums import declared
from tests.openapi.generating import generate, use
from tests.openapi.shelf import shelf
from tests.serving import serving

USE = r"""
import sys
from io import BytesIO
from shelf_client import Client
from shelf_client.api.volumes import (
    volumes_create, volumes_do_shoot, volumes_get, volumes_get_file,
)
from shelf_client.models import (
    Volumes, VolumesCreateForm, VolumesCreateFormJson, VolumesShootInputForm, Problem,
)
from shelf_client.types import File

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 1000
with Client(base_url=sys.argv[1], raise_on_unexpected_status=True) as client:
    form = VolumesCreateForm(
        field_json=VolumesCreateFormJson(title="Nana"),
        cover=File(payload=BytesIO(PNG), file_name="nana.png", mime_type="image/png"),
    )
    made = volumes_create.sync(client=client, body=form)
    assert isinstance(made, Volumes), made
    assert (made.title, made.cover.filename, made.cover.size) == (
        "Nana", "nana.png", len(PNG),
    )
    file = volumes_get_file.sync(made.field_id, "cover", client=client)
    assert isinstance(file, File) and file.payload.read() == PNG, file
    part = volumes_get_file.sync(
        made.field_id, "cover", client=client, range_="bytes=1-3"
    )
    assert isinstance(part, File) and part.payload.read() == b"PNG", part
    photo = File(payload=BytesIO(b"text"), file_name="t", mime_type="text/plain")
    shot = volumes_do_shoot.sync_detailed(
        made.field_id, client=client, body=VolumesShootInputForm(photo=photo)
    )
    assert shot.status_code == 200, shot
    file = volumes_get_file.sync(made.field_id, "cover", client=client)
    assert file.payload.read() == b"text", file
    gone = volumes_get_file.sync(made.field_id, "pages[0].scan", client=client)
    assert isinstance(gone, Problem) and gone.status == 404, gone
"""


PARTS = {
    "pages[0].scan": True,
    "pages[12].scan": True,
    "pages[].scan": False,
    "pages.scan": False,
    "extra[0]": True,
    "extra[]": True,
    "extra[x]": False,
}
"""Names of parts, and whether a form may have them."""


@pytest.mark.parametrize("adapter", ["fastapi", "flask"])
def test_a_generated_client_sends_and_fetches_files(
    tmp_path: Path, adapter: str
) -> None:
    office = shelf(tmp_path)
    client = generate(office, tmp_path)
    with serving(office, adapter) as port:
        use(client, USE, f"http://127.0.0.1:{port}")


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = declared(tmp_path)[0].get_openapi()
    return found


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_the_document_describes_forms(document: dict[str, Any]) -> None:
    create = document["paths"]["/photos/albums"]["post"]["requestBody"]["content"]
    form = create["multipart/form-data"]
    assert form["encoding"]["_json"] == {"contentType": "application/json"}
    assert form["encoding"]["cover"] == {"contentType": "image/*, text/plain"}
    schemas = document["components"]["schemas"]
    parts = schemas["AlbumsCreateForm"]
    binary = {"type": "string", "format": "binary"}
    assert parts["properties"]["cover"] == binary
    assert parts["properties"]["extra"] == {"type": "array", "items": binary}
    assert all(one == binary for one in parts["patternProperties"].values())
    names = [re.compile(one) for one in parts["patternProperties"]]
    for name, there in PARTS.items():
        assert any(one.search(name) for one in names) == there, name
    assert form["encoding"]["extra"] == {"contentType": "application/octet-stream"}
    patch = document["paths"]["/photos/albums/{id}"]["patch"]["requestBody"]["content"]
    said = patch["multipart/form-data"]["encoding"]["_json"]["contentType"]
    assert set(said.split(", ")) == set(patch) - {"multipart/form-data"}
    assert "label" not in parts["properties"]
    assert set(parts["required"]) == {"_json"}
    assert "required" not in schemas["AlbumsUpdateForm"]


def test_the_document_describes_contents(document: dict[str, Any]) -> None:
    operation = document["paths"]["/photos/albums/{id}/{path}"]["get"]
    names = {one["name"] for one in operation["parameters"]}
    assert {"Range", "If-Range", "If-None-Match", "If-Match"} <= names
    answers = operation["responses"]
    assert set(answers["206"]["content"]) == {"application/octet-stream", "*/*"}
    assert "Content-Range" in answers["206"]["headers"]
    assert "Content-Range" in answers["416"]["headers"]
    assert set(answers["304"]["headers"]) == {"Cache-Control", "ETag"}
    whole = {"Accept-Ranges", "Content-Disposition", "Content-Length", "Last-Modified"}
    whole |= {"X-Content-Type-Options", *answers["304"]["headers"]}
    assert set(answers["200"]["headers"]) == whole
