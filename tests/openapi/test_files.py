"""What the document says of files, and a client made of it that sends and fetches
some."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from backo import (
    Action,
    Backoffice,
    Collection,
    DBSqliteConnector,
    Dict,
    File,
    FileSystemConnector,
    Int,
    Item,
    List,
    String,
)
from tests.files.albums import declared
from tests.serving import serving

USE = r"""
import sys
from io import BytesIO
from shelf_client import Client
from shelf_client.api.books import (
    books_create, books_do_shoot, books_get, books_get_file,
)
from shelf_client.models import (
    Books, BooksCreateForm, BooksCreateFormJson, BooksShootInputForm, Problem,
)
from shelf_client.types import File

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 1000
with Client(base_url=sys.argv[1], raise_on_unexpected_status=True) as client:
    form = BooksCreateForm(
        field_json=BooksCreateFormJson(title="Nana"),
        cover=File(payload=BytesIO(PNG), file_name="nana.png", mime_type="image/png"),
    )
    made = books_create.sync(client=client, body=form)
    assert isinstance(made, Books), made
    assert (made.title, made.cover.filename, made.cover.size) == (
        "Nana", "nana.png", len(PNG),
    )
    file = books_get_file.sync(made.field_id, "cover", client=client)
    assert isinstance(file, File) and file.payload.read() == PNG, file
    part = books_get_file.sync(
        made.field_id, "cover", client=client, range_="bytes=1-3"
    )
    assert isinstance(part, File) and part.payload.read() == b"PNG", part
    photo = File(payload=BytesIO(b"text"), file_name="t", mime_type="text/plain")
    shot = books_do_shoot.sync_detailed(
        made.field_id, client=client, body=BooksShootInputForm(photo=photo)
    )
    assert shot.status_code == 200, shot
    file = books_get_file.sync(made.field_id, "cover", client=client)
    assert file.payload.read() == b"text", file
    gone = books_get_file.sync(made.field_id, "pages[0].scan", client=client)
    assert isinstance(gone, Problem) and gone.status == 404, gone
"""


def shelf(folder: Path) -> Backoffice:
    work = FileSystemConnector(path=folder / "files")
    item = {
        "title": String(required=True),
        "cover": File(work=work, mime_types=["image/*", "text/plain"]),
        "pages": List(Dict({"no": Int(), "scan": File(work=work)})),
    }
    store = DBSqliteConnector(path=folder / "books.sqlite", table="books")
    books = Collection("books", Item(item), store)

    def shoot(action: Any, book: Any) -> None:
        book.cover = action.photo

    photo = File(work=work, required=True)
    books.register_action("shoot", Action({"photo": photo}, on_trig=shoot))
    office = Backoffice("shelf")
    office.register_collection(books)
    return office


@pytest.mark.parametrize("adapter", ["fastapi", "flask"])
def test_a_generated_client_sends_and_fetches_files(
    tmp_path: Path, adapter: str
) -> None:
    office = shelf(tmp_path)
    document = tmp_path / "shelf.json"
    document.write_text(json.dumps(office.get_openapi()))
    said = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate"]
        + ["--path", str(document), "--output-path", str(tmp_path / "client")],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ
        | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )
    words = (said.stdout + said.stderr).lower()
    assert "warning" not in words and "error" not in words, words
    with serving(office, adapter) as port:
        command = [sys.executable, "-c", USE, f"http://127.0.0.1:{port}"]
        subprocess.run(command, cwd=tmp_path / "client", check=True)


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
    assert set(answers["304"]["headers"]) == {"ETag"}
