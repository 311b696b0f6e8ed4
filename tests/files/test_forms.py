"""Files by HTTP: set by forms and in JSON, changed, read; behind both frameworks."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.files.albums import NOW, PNG, Albums, albums_served

MERGE = "application/merge-patch+json"
STAFF = {"x_user": "staff"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Albums]:
    with albums_served(tmp_path_factory.mktemp("albums")) as albums:
        yield albums


@pytest.fixture
def albums(served: Albums) -> Albums:
    served.empty()
    return served


@pytest.fixture
def album(albums: Albums) -> dict[str, Any]:
    """One album, with the id 1."""
    files = {
        "cover": ("c.png", PNG),
        "pages[0].scan": ("s.txt", b"scan"),
        "blob": ("b.bin", b"\0blob"),
    }
    return albums.new(files, pages=[{"no": 1}])


def told(name: str | None, file_id: str, media: str, size: int) -> dict[str, Any]:
    return {
        "filename": name,
        "file_id": file_id,
        "content_type": media,
        "size": size,
        "modified": NOW.isoformat(),
    }


# --- Setting ----------------------------------------------------------------------


def test_a_form_sets_files_at_their_paths(albums: Albums) -> None:
    files = {
        "cover": ("../../é.png", PNG),
        "$.doc": (r"C:\scans\d.pdf", b"%PDF-1.4 x"),
        "pages[0].scan": ("s.txt", b"scan"),
        "pages[1].scan": ("t.txt", b"more"),
        "extra[]": ("one", b"one"),
        "extra": ("two", b"two"),
        "blob": ("b.bin", b"\0blob"),
    }
    made = albums.new(files, pages=[{"no": 1}])
    assert made["cover"] == told("é.png", "f1", "image/png", 1008)
    assert made["doc"] == told("d.pdf", "f2", "application/pdf", 10)
    assert made["blob"] == told("b.bin", "blob-1", "application/octet-stream", 5)
    assert [(one["no"], one["scan"]["filename"]) for one in made["pages"]] == [
        (1, "s.txt"),
        (None, "t.txt"),
    ]
    assert [one["filename"] for one in made["extra"]] == ["one", "two"]
    for path, content in {
        "cover": PNG,
        "doc": b"%PDF-1.4 x",
        "blob": b"\0blob",
        "pages[0].scan": b"scan",
        "pages.1.scan": b"more",
        "extra[1]": b"two",
    }.items():
        assert albums.content(f"/1/{path}") == content


def test_json_sets_files_to_text_or_base64(albums: Albums) -> None:
    said = {
        "title": "x",
        "cover": "base64:aGVsbG8=",
        "doc": "Olá",
        "blob": "",
        "pages": [{"scan": "base64:iVBORw0KGgo="}],
        "extra": ["a", "b"],
    }
    made = albums("POST", "", said)
    assert made.status == 201
    assert made.json["cover"] == told(None, "f1", "text/plain", 5)
    assert made.json["blob"]["size"] == 0
    assert made.json["pages"][0]["scan"]["content_type"] == "image/png"
    assert albums.content("/1/cover") == b"hello"
    assert albums.content("/1/doc") == "Olá".encode()
    assert albums.content("/1/blob") == b""
    assert albums.content("/1/extra[1]") == b"b"
    assert albums("GET", "/1/extra[2]").status == 404


def test_a_form_changes_what_it_names(albums: Albums, album: dict[str, Any]) -> None:
    files = {"pages[0].scan": ("z", b"zz"), "extra[]": (None, b"new")}
    rest = {"title": "y", "pages": album["pages"], "extra": []}
    changed = albums.form("PUT", "/1", files, rest)
    assert (changed.status, changed.json["title"]) == (200, "y")
    assert changed.json["cover"] == album["cover"]
    assert changed.json["pages"][0]["no"] == 1
    assert albums.content("/1/pages[0].scan") == b"zz"
    assert albums.content("/1/extra[0]") == b"new"
    # What was replaced is gone.
    assert album["pages"][0]["scan"]["file_id"] not in albums.stored()


@pytest.mark.parametrize(
    "said", [None, {"title": "y"}, [{"op": "replace", "path": "/title", "value": "y"}]]
)
def test_a_form_is_a_patch_with_files(
    albums: Albums, album: dict[str, Any], said: Any
) -> None:
    files = {"extra[]": ("n.txt", b"new"), "pages[0].scan": ("z", b"zz")}
    changed = albums.form("PATCH", "/1", files, said)
    assert changed.status == 200
    assert changed.json["title"] == ("x" if said is None else "y")
    assert changed.json["pages"][0]["no"] == 1
    assert changed.json["extra"][0]["filename"] == "n.txt"
    assert albums.content("/1/pages[0].scan") == b"zz"


def test_an_action_takes_a_file(albums: Albums, album: dict[str, Any]) -> None:
    shot = albums.form("POST", "/_actions/shoot/1", {"photo": ("p.txt", b"photo")})
    assert (shot.status, shot.json["cover"]["filename"]) == (200, "p.txt")
    assert albums.content("/1/cover") == b"photo"
    shot = albums("POST", "/_actions/shoot/1", {"photo": "base64:aGk="})
    assert shot.status == 200
    assert albums.content("/1/cover") == b"hi"
    named = {"photo": {"file_id": album["blob"]["file_id"]}}
    assert albums("POST", "/_actions/shoot/1", named).errors == {"$.photo": "file"}
    assert albums("POST", "/_actions/shoot/1", {}).errors == {"$.photo": "required"}
    before = albums.stored()
    sent = {"photo": ("p.txt", b"photo")}
    assert albums.form("POST", "/_actions/shoot_as_staff/1", sent).status == 403
    assert albums.stored() == before
    allowed = albums.form("POST", "/_actions/shoot_as_staff/1", sent, **STAFF)
    assert allowed.status == 200


# --- What was answered, again -------------------------------------------------------


def test_an_answer_sent_back_changes_no_file(
    albums: Albums, album: dict[str, Any]
) -> None:
    computed = ("_id", "label", "kept", "secret")
    said = {name: value for name, value in album.items() if name not in computed}
    assert albums("PUT", "/1", said).json == album
    said["pages"] = [{"no": 0, "scan": "first"}, *said["pages"]]
    changed = albums("PUT", "/1", said)
    assert changed.json["pages"][1] == album["pages"][0]
    assert albums.content("/1/pages[1].scan") == b"scan"


def test_a_file_gets_another_name(albums: Albums, album: dict[str, Any]) -> None:
    for said, media in (({"filename": "new.png"}, None), ({"filename": None}, MERGE)):
        method = "PUT" if media is None else "PATCH"
        body = json.dumps({"cover": said}).encode()
        changed = albums(method, "/1", body=body, media=media or "application/json")
        assert changed.json["cover"] == {**album["cover"], **said}
    lies = {**album["cover"], "content_type": "text/html", "size": 1}
    assert albums("PUT", "/1", {"cover": lies}).json["cover"] == album["cover"]


def test_an_item_loses_a_file(albums: Albums, album: dict[str, Any]) -> None:
    assert albums("PUT", "/1", {"cover": None}).json["cover"] is None
    assert albums("GET", "/1/cover").status == 404
    body = b'{"blob": null}'
    assert albums("PATCH", "/1", body=body, media=MERGE).json["blob"] is None
    gone = albums("PATCH", "/1", {"op": "remove", "path": "/pages/0/scan"})
    assert gone.json["pages"] == [{"no": 1, "scan": None}]
    assert albums.stored() == {album["kept"]["file_id"]}


def test_a_patch_copies_and_moves_files(albums: Albums, album: dict[str, Any]) -> None:
    patch = [
        {"op": "copy", "from": "/cover", "path": "/doc"},
        {"op": "copy", "from": "/pages/0", "path": "/pages/-"},
        {"op": "add", "path": "/extra", "value": ["base64:YQ=="]},
        {"op": "add", "path": "/extra/-", "value": "b"},
        {"op": "move", "from": "/cover", "path": "/extra/-"},
        {"op": "replace", "path": "/pages/0/scan", "value": "new"},
    ]
    changed = albums("PATCH", "/1", patch)
    assert changed.status == 200, changed.body
    assert changed.json["cover"] is None
    ids = {
        one["file_id"]
        for one in (
            changed.json["doc"],
            *changed.json["extra"],
            *(page["scan"] for page in changed.json["pages"]),
        )
    }
    assert len(ids) == 6
    assert albums.stored() == {*ids, album["kept"]["file_id"]}
    for path, content in {
        "doc": PNG,
        "extra[0]": b"a",
        "extra[1]": b"b",
        "extra[2]": PNG,
        "pages[0].scan": b"new",
        "pages[1].scan": b"scan",
    }.items():
        assert albums.content(f"/1/{path}") == content


def test_no_item_gets_the_file_of_another(
    albums: Albums, album: dict[str, Any]
) -> None:
    before = albums.stored()
    for told_of in (album["cover"], {"file_id": album["cover"]["file_id"]}):
        refused = albums("POST", "", {"title": "thief", "cover": told_of})
        assert refused.errors == {"$.cover": "file"}
    albums.new()
    patch = {"op": "add", "path": "/doc", "value": album["pages"][0]["scan"]}
    assert albums("PATCH", "/2", patch).errors == {"$.doc": "file"}
    assert len(albums.stored() - before) == 1
    absent = {"cover": {"file_id": "../../etc/passwd"}}
    assert albums("PUT", "/1", absent).errors == {"$.cover": "file"}


def test_contents_go_with_their_item(albums: Albums, album: dict[str, Any]) -> None:
    assert albums.stored()
    assert albums("DELETE", "/1").status == 204
    assert albums.stored() == set()


# --- Refusals ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "content", "status", "faults"),
    [
        ("title", b"t", 422, {"$.title": "unknown_field"}),
        ("nope", b"t", 422, {"$.nope": "unknown_field"}),
        ("pages", b"t", 422, {"$.pages": "unknown_field"}),
        ("cover.filename", b"t", 422, {"$.cover.filename": "unknown_field"}),
        ("label", b"t", 422, {"$.label": "read_only"}),
        ("kept", b"t", 422, {"$.kept": "read_only"}),
        ("cover", b"%PDF-1.4", 422, {"$.cover": "file"}),
        ("cover", b"<html>", 422, {"$.cover": "file"}),
        ("cover", PNG * 100, 413, {"$.cover": "file_too_large"}),
        ("blob", b"\0" * (900 * 1024), 200, {}),
        ("pages[7].scan", b"t", 422, {"$": "path"}),
        ("pages[].", b"t", 422, {"$": "path"}),
    ],
)
def test_a_file_that_is_refused_leaves_nothing(
    albums: Albums,
    album: dict[str, Any],
    path: str,
    content: bytes,
    status: int,
    faults: dict[str, str],
) -> None:
    before = albums.stored()
    found = albums("GET", "/1").json
    answer = albums.form("PUT", "/1", {"doc": ("d", b"first"), path: ("x", content)})
    assert answer.status == status, answer.body
    if status != 200:
        assert answer.errors == faults
        assert albums.stored() == before
        assert albums("GET", "/1").json == found


def test_forms_that_are_none(albums: Albums, album: dict[str, Any]) -> None:
    before = albums.stored()
    media = "multipart/form-data; boundary=xYz"
    for body in (b"", b"--xYz\r\nContent-Dis", b"no form"):
        answer = albums("PUT", "/1", body=body, media=media)
        assert (answer.status, answer.json["code"]) == (400, "bad_form")
    twice = (b'--xYz\r\ncontent-disposition: form-data; name="_json"\r\n\r\n{}\r\n') * 2
    answer = albums("PUT", "/1", body=twice + b"--xYz--\r\n", media=media)
    assert answer.json["code"] == "bad_form"
    many = {f"extra[{at}]": ("x", b"x") for at in range(21)}
    answer = albums.form("PUT", "/1", many)
    assert (answer.status, answer.json["code"]) == (413, "body_too_large")
    assert albums.form("PUT", "/1", {"doc": ("x", b"x")}, ["no object"]).status == 422
    assert albums.stored() == before


def test_a_part_without_a_file_is_none(albums: Albums, album: dict[str, Any]) -> None:
    """What browsers send of an input where nothing was chosen."""
    changed = albums.form("PUT", "/1", {"cover": ("", b"")}, {"title": "y"})
    assert changed.json["cover"] == album["cover"]


@pytest.mark.parametrize("size", [5, 300_000])
def test_a_part_without_a_name_is_whole(
    albums: Albums, album: dict[str, Any], size: int
) -> None:
    """As programs send what has no name."""
    content = bytes(range(256)) * (size // 256) or b"hello"
    changed = albums.form("PUT", "/1", {"doc": ("", content)})
    assert (changed.status, changed.json["doc"]["size"]) == (200, len(content))
    assert albums.content("/1/doc") == content


def part(name: str, content: str, media: str = "") -> bytes:
    kind = f"content-type: {media}\r\n" if media else ""
    head = f'--xYz\r\ncontent-disposition: form-data; name="{name}"\r\n{kind}'
    return f"{head}\r\n{content}\r\n".encode()


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_null_is_said_too(albums: Albums, album: dict[str, Any], method: str) -> None:
    """``_json`` that is null is neither absent nor to be said again."""
    media = "multipart/form-data; boundary=xYz"
    null, title = part("_json", "null"), part("_json", '{"title": "y"}')
    twice = albums(method, "/1", body=null + title + b"--xYz--\r\n", media=media)
    assert (twice.status, twice.json["code"]) == (400, "bad_form")
    alone = albums(method, "/1", body=null + b"--xYz--\r\n", media=media)
    assert (alone.status, albums("GET", "/1").json) == (422, album)


@pytest.mark.parametrize(
    ("said", "media", "errors"),
    [
        ('{"op": "remove", "path": "/doc"}', "", None),
        ('{"op": "remove", "path": "/doc"}', "application/json", None),
        ('{"op": "remove", "path": "/doc"}', "application/json-patch+json", None),
        ('{"op": "x", "path": "/doc"}', MERGE, {"$.op", "$.path"}),
        ('{"op": "x"}', "", {"$.op"}),
        ('{"doc": null}', MERGE, None),
        ('{"doc": null}', "application/json-patch+json", {"$"}),
    ],
)
def test_a_form_says_which_patch_it_has(
    albums: Albums, album: dict[str, Any], said: str, media: str, errors: Any
) -> None:
    albums.form("PUT", "/1", {"doc": ("d", b"doc")})
    body = part("_json", said, media) + part("cover", "text") + b"--xYz--\r\n"
    answer = albums("PATCH", "/1", body=body, media="multipart/form-data; boundary=xYz")
    if errors:
        assert (answer.status, set(answer.errors)) == (422, errors)
    else:
        assert (answer.status, answer.json["doc"]) == (200, None)
        assert answer.json["cover"]["size"] == 4


# --- How much a request may bring ---------------------------------------------------


def test_a_few_bytes_do_not_ask_for_many_files(
    albums: Albums, album: dict[str, Any]
) -> None:
    """At most ``max_parts`` files, and ``max_upload_size`` bytes, copies included."""
    albums.form("PUT", "/1", {"doc": ("d", b"x" * 300_000)})
    before, found = albums.stored(), albums("GET", "/1").json
    small, large = found["pages"][0]["scan"], found["doc"]
    copying = {"op": "copy", "from": "/doc", "path": "/extra/-"}
    for body in (
        {"extra": ["x"] * 21},
        {"extra": [small] * 21},
        {"extra": [large] * 4},
        {"extra": ["x"] * 18 + [small] * 3},
        [{"op": "add", "path": "/extra", "value": []}, *[copying] * 4],
    ):
        method = "PATCH" if isinstance(body, list) else "PUT"
        answer = albums(method, "/1", body)
        assert (answer.status, answer.json["code"]) == (413, "body_too_large")
        assert albums.stored() == before
        assert albums("GET", "/1").json == found
    assert albums("PUT", "/1", {"extra": ["x"] * 17 + [small] * 3}).status == 200
    assert albums("PUT", "/1", {"extra": [large] * 3}).status == 200
    # What is moved is not copied.
    extra = [*albums("GET", "/1").json["extra"], *(str(one) for one in range(20))]
    assert albums("PUT", "/1", {"extra": extra}).status == 200
    extra = albums("GET", "/1").json["extra"][::-1]
    assert len(extra) == 23
    moved = albums("PUT", "/1", {"extra": extra})
    assert (moved.status, moved.json["extra"]) == (200, extra)


# --- What is refused ----------------------------------------------------------------


def test_all_files_that_are_refused_are_told(
    albums: Albums, album: dict[str, Any]
) -> None:
    before = albums.stored()
    large = {"cover": "x" * 100_001}
    bad = {**large, "doc": {"file_id": "f99"}, "pages": [{"scan": {"file_id": "f98"}}]}
    answer = albums("PUT", "/1", {**bad, "extra": ["fine"]})
    assert answer.status == 422
    assert answer.errors == {
        "$.cover": "file_too_large",
        "$.doc": "file",
        "$.pages[0].scan": "file",
    }
    assert albums("PUT", "/1", large).status == 413
    assert albums.stored() == before


def test_who_may_not_set_a_file_hears_which(
    albums: Albums, album: dict[str, Any]
) -> None:
    assert albums("PUT", "/1", {"sealed": "x"}, **STAFF).status == 200
    for said in ({"sealed": "y"}, {"sealed": None}, {"sealed": {"filename": "y"}}):
        answer = albums("PUT", "/1", said)
        assert (answer.status, answer.errors) == (403, {"$.sealed": "forbidden"})
    form = albums.form("PUT", "/1", {"sealed": ("x", b"x")})
    assert (form.status, form.errors) == (403, {"$.sealed": "forbidden"})


def test_a_file_is_copied_from_a_blob(albums: Albums, album: dict[str, Any]) -> None:
    for op in ("copy", "move"):
        operation = {"op": op, "from": "/blob", "path": "/doc"}
        answer = albums("PATCH", "/1", operation)
        assert answer.status == 200
        assert answer.json["doc"]["filename"] == "b.bin"
        assert albums.content("/1/doc") == b"\0blob"
    assert answer.json["blob"] is None


@pytest.mark.parametrize(
    "value",
    [1, True, ["x"], [None], "base64:%%%", {"nope": 1}, {"size": "x"}, {"filename": 1}],
)
def test_json_that_is_no_file(albums: Albums, value: Any) -> None:
    answer = albums("POST", "", {"title": "x", "cover": value})
    assert answer.status == 422
    assert all(path.startswith("$.cover") for path in answer.errors)


def test_nobody_is_asked_for_a_body_that_would_be_refused(albums: Albums) -> None:
    files = {"cover": ("c.png", PNG)}
    assert albums.form("PUT", "/7", files).status == 404
    assert albums.form("POST", "/_actions/shoot/7", files).status == 404
    assert albums.stored() == set()


# --- Rights -----------------------------------------------------------------------


def test_a_file_that_may_not_be_read_is_not_there(albums: Albums) -> None:
    made = albums.form("POST", "", {"secret": ("s", b"psst")}, {"title": "x"}, **STAFF)
    assert made.status == 201
    assert made.json["secret"]["filename"] == "s"
    assert albums.content("/1/secret", **STAFF) == b"psst"
    hidden, absent = albums("GET", "/1/secret"), albums("GET", "/1/absent")
    assert (hidden.status, absent.status) == (404, 404)
    assert hidden.json["detail"].replace("secret", "absent") == absent.json["detail"]
    assert "secret" not in albums("GET", "/1").json
    assert albums("GET", "?secret.size=4").status == 400
    assert albums("GET", "?secret.size=4", **STAFF).json["total"] == 1


def test_a_file_that_may_not_be_modified_is_not_kept(albums: Albums) -> None:
    albums.new()
    before = albums.stored()
    for method in ("PUT", "PATCH"):
        answer = albums.form(method, "/1", {"sealed": ("s", b"x")})
        assert answer.status == 403, answer.body
        assert albums.stored() == before
    assert albums("PUT", "/1", {"sealed": "x"}).status == 403
    assert albums.stored() == before
    assert albums.form("PUT", "/1", {"sealed": ("s", b"x")}, **STAFF).status == 200
    assert albums.content("/1/sealed") == b"x"
    for said in (None, {"filename": "x"}):
        answer = albums("PUT", "/1", {"sealed": said})
        assert answer.status == 403, said
        assert all(path.startswith("$.sealed") for path in answer.errors)


# --- Reading ----------------------------------------------------------------------


def test_what_is_told_with_a_content(albums: Albums, album: dict[str, Any]) -> None:
    found = albums("GET", "/1/cover")
    assert dict(found.headers) == {
        "accept-ranges": "bytes",
        "cache-control": "private, no-cache",
        "content-disposition": 'inline; filename="c.png"',
        "content-length": "1008",
        "content-type": "image/png",
        "etag": f'"{album["cover"]["file_id"]}"',
        "last-modified": "Sun, 01 Mar 2026 12:00:00 GMT",
        "x-content-type-options": "nosniff",
    }
    head = albums("HEAD", "/1/cover")
    assert (head.status, head.headers, head.body) == (200, found.headers, b"")
    known = albums("GET", "/1/cover", if_none_match=found["etag"])
    assert (known.status, known.body) == (304, b"")
    part = albums("GET", "/1/cover", range="bytes=1-3")
    assert (part.status, part.body) == (206, b"PNG")
    assert part["content-range"] == "bytes 1-3/1008"
    end = albums("GET", "/1/blob", range="bytes=-2")
    assert (end.status, end.body) == (206, b"ob")
    beyond = albums("GET", "/1/cover", range="bytes=2000-")
    assert (beyond.status, beyond["content-range"]) == (416, "bytes */1008")
    assert albums("GET", "/1/cover", if_match='"other"').status == 412
    assert albums("PUT", "/1/cover", {}).status == 405


def test_what_a_browser_would_execute_is_an_attachment(albums: Albums) -> None:
    albums.new({"doc": ("a.png", b"<html><script>alert(1)</script>")})
    found = albums("GET", "/1/doc")
    assert found["content-type"] == "text/html"
    assert found["content-disposition"].startswith("attachment;")


@pytest.mark.parametrize(
    "path",
    ["doc", "nope", "extra", "extra[0]", "pages", "pages[9].scan", "pages[x].scan"]
    + ["title", "cover.size", "pages[0]", "internal", "..", "blob.content"],
)
def test_where_there_is_no_file(
    albums: Albums, album: dict[str, Any], path: str
) -> None:
    answer = albums("GET", f"/1/{path}")
    assert (answer.status, answer.json["code"]) == (404, "not_found")


def test_files_are_found_by_what_is_told_of_them(
    albums: Albums, album: dict[str, Any]
) -> None:
    albums.new({"cover": ("t.txt", b"text")}, title="y")

    def titles(query: str) -> list[str]:
        found = albums("GET", f"?{query}")
        assert found.status == 200, found.body
        return [one["title"] for one in found.json["result"]]

    assert titles("cover.content_type=image/png") == ["x"]
    assert titles("cover.size.$lt=100") == ["y"]
    assert titles("cover.filename.$reg=t") == ["y"]
    assert titles("pages.scan.size=4") == ["x"]
    assert titles("_sort=$.cover.size") == ["y", "x"]


def test_views_leave_files_out(albums: Albums) -> None:
    made = albums.new({"internal": ("i", b"inside")})
    assert "internal" not in made
    assert albums("GET", "/1/internal").status == 404
    album = albums.collection.get_by_id("1")
    assert album.internal.get_content() == b"inside"


def test_computed_files(albums: Albums) -> None:
    made = albums.new(title="x")
    assert albums.content("/1/label") == b"hello x"
    assert made["label"]["size"] == 7
    again = albums("GET", "/1").json
    assert again["label"] == made["label"]
    changed = albums("PUT", "/1", {"title": "long"}).json
    assert albums.content("/1/label") == b"hello long"
    assert changed["label"]["file_id"] != made["label"]["file_id"]


def test_the_content_of_a_blob_is_never_shown(
    albums: Albums, album: dict[str, Any]
) -> None:
    content = "AGJsb2I="
    for path in ("/1", "", "/_selections/_all", "?_view=save"):
        assert content.encode() not in albums("GET", path).body
    assert "content" not in album["blob"]
    guess = albums("GET", f"?blob.content={content}")
    assert guess.status == 400
    assert albums("PUT", "/1", {"blob": {"content": content}}).status == 422
    copied = {"op": "copy", "from": "/blob/content", "path": "/title"}
    assert albums("PATCH", "/1", copied).status == 409
    guessed = {"op": "test", "path": "/blob/content", "value": content}
    assert albums("PATCH", "/1", guessed).status == 409


@pytest.mark.parametrize("path", ["pages[0].scan", "extra", "extra[0]"])
def test_a_put_of_one_file_does_not_replace_a_whole_list(
    albums: Albums, album: dict[str, Any], path: str
) -> None:
    before = albums.stored()
    answer = albums.form("PUT", "/1", {path: ("x", b"x")})
    assert (answer.status, albums.stored()) == (422, before)
    assert albums("GET", "/1").json["pages"] == album["pages"]


def test_what_a_part_replaces_must_be_a_file_too(
    albums: Albums, album: dict[str, Any]
) -> None:
    for said in (1, {"nope": 1}, {"size": "x"}):
        answer = albums.form("PUT", "/1", {"doc": ("x", b"x")}, {"doc": said})
        assert answer.errors == {"$.doc": "type"}
    assert albums.form("PUT", "/1", {"doc": ("x", b"x")}, {"doc": "y"}).status == 200
    for wrong in ("text", 1, {"no": "list"}):
        answer = albums.form("PUT", "/1", {"extra": ("x", b"x")}, {"extra": wrong})
        assert answer.status == 422
