"""Swagger UI's button *Authorize*, and what it sends."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from backo.http.auth import JWTAuth
from tests.conformance.adapters import serve_fastapi, serve_flask
from tests.http.tokens import SECRET, claims, signed
from tests.offices import office

pytestmark = pytest.mark.browser

AUTH = JWTAuth(SECRET, algorithms=["HS256"], public=["_docs", "_openapi"])


@pytest.fixture(params=["fastapi", "flask"])
def page(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[Page]:
    """``_docs`` of a backoffice that wants a token for all else."""
    if request.param == "fastapi":
        asgi = FastAPI()
        asgi.include_router(office().router(jwt_auth=AUTH))
        serving = serve_fastapi(asgi)
    else:
        wsgi = Flask("authorize")
        office().build_routes(wsgi, jwt_auth=AUTH)
        serving = serve_flask(wsgi)
    with serving as port, chromium.new_context() as context:
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{port}/office/_docs")
        page.locator(".opblock").first.wait_for()
        yield page


def create(page: Page) -> str:
    """The status of a POST that is tried out."""
    operation = page.locator("#operations-things-things_create")
    if not operation.get_by_role("button", name="Execute").count():
        operation.locator(".opblock-summary-control").click()
        operation.get_by_role("button", name="Try it out").click()
    with page.expect_response(lambda one: one.request.method == "POST") as answer:
        operation.get_by_role("button", name="Execute").click()
    return str(answer.value.status)


def authorize(page: Page, token: str) -> None:
    page.locator(".auth-wrapper .authorize").first.click()
    dialog = page.locator(".auth-container")
    dialog.locator("input").fill(token)
    dialog.get_by_role("button", name="Apply credentials").click()
    expect(dialog).to_contain_text("Authorized")
    page.get_by_role("button", name="Close").click()


def test_what_is_authorized_is_sent(page: Page) -> None:
    assert create(page) == "401"
    authorize(page, signed(claims(exp=9e9)))
    assert create(page) == "201"
    # Without what the address says of the operation: that would open it.
    again = page.url.partition("#")[0]
    page.goto("about:blank")
    page.goto(again)
    page.locator(".opblock").first.wait_for()
    assert create(page) == "201"
