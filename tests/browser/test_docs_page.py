"""The page ``_docs`` in a real browser that reaches nothing but the server.

``UPDATE_PICTURES=1`` takes the picture of the README anew.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Route, expect

pytestmark = pytest.mark.browser

PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "swagger.png"
SHOWN = [
    "get /bookcase/_meta",
    "get /bookcase/_openapi",
    "get /bookcase/_docs",
    *(
        operation.format(collection=collection)
        for collection in ("books", "authors", "nationalities")
        for operation in (
            "post /bookcase/{collection}/_check",
            "post /bookcase/{collection}/_meta",
            "get /bookcase/{collection}",
            "get /bookcase/{collection}/{{id}}",
            "post /bookcase/{collection}",
            "put /bookcase/{collection}/{{id}}",
            "patch /bookcase/{collection}/{{id}}",
            "delete /bookcase/{collection}/{{id}}",
            "get /bookcase/{collection}/_selections/_all",
            "post /bookcase/{collection}/_selections/_all",
        )
    ),
    "get /bookcase/books/_selections/french",
    "post /bookcase/books/_selections/french",
    "post /bookcase/books/_actions/vote/{id}",
    "get /bookcase/authors/_selections/shelf",
    "post /bookcase/authors/_selections/shelf",
]


@pytest.fixture
def page(chromium: Browser, bookcase_url: str) -> Iterator[Page]:
    """A page that shows ``_docs``; whatever it complained of or asked elsewhere fails
    the test that used it."""
    host = urlsplit(bookcase_url).netloc
    wrong: list[str] = []

    def gate(route: Route, request: Request) -> None:
        if urlsplit(request.url).netloc == host:
            route.continue_()
        else:
            wrong.append(f"asked for {request.url}")
            route.abort()

    def heed(said: ConsoleMessage) -> None:
        if said.type == "error":
            wrong.append(f"said {said.text}")

    context = chromium.new_context(
        viewport={"width": 1100, "height": 1140}, service_workers="block"
    )
    context.route(lambda url: not url.startswith("data:"), gate)
    context.set_default_timeout(120_000)
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(f"raised {error}"))
    page.on("requestfailed", lambda request: wrong.append(f"missed {request.url}"))
    page.on("console", heed)
    page.goto(f"{bookcase_url}/_docs")
    page.locator(".opblock").first.wait_for()
    yield page
    context.close()
    assert wrong == []


def test_the_page_shows_every_operation(page: Page) -> None:
    shown = [
        f"{one.get_attribute('class') or ''}"
        f" {one.locator('.opblock-summary-path').get_attribute('data-path')}"
        for one in page.locator(".opblock").all()
    ]
    assert sorted(_operation(one) for one in shown) == sorted(SHOWN)
    if os.environ.get("UPDATE_PICTURES"):
        page.screenshot(path=PICTURE)


def _operation(shown: str) -> str:
    """``opblock opblock-get /path`` → ``get /path``."""
    *classes, path = shown.split()
    method = next(
        name.removeprefix("opblock-") for name in classes if name.startswith("opblock-")
    )
    return f"{method} {path}"


def test_the_list_can_be_tried_out(page: Page) -> None:
    listing = page.locator("#operations-books-books_list")
    listing.locator(".opblock-summary").click()
    listing.get_by_role("button", name="Try it out").click()
    listing.locator("tr[data-param-name='pages.$gt'] input").fill("400")
    listing.get_by_role("button", name="Execute").click()
    answer = listing.locator(".live-responses-table")
    answer.wait_for()
    expect(answer.locator("tbody .response-col_status").first).to_contain_text("200")
    body = answer.locator(".response-col_description pre").first
    expect(body).to_contain_text("Germinal")
    expect(body).not_to_contain_text("Walden")
