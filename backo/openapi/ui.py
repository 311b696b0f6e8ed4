"""The pages about an API: its document, and Swagger UI from a package's files."""

import importlib.util
from collections.abc import Callable, Hashable
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from backo.backoffice import Backoffice
from backo.errors import BackoError, NotFoundError
from backo.http.auth import secured, security_schemes
from backo.http.described import for_user
from backo.http.endpoints import base_path, table
from backo.http.messages import JSON, Request, Response
from backo.http.problems import to_json
from backo.openapi.document import document

__all__ = ["ApiPages"]

type Schema = dict[str, Any]

_PACKAGE = "flask_swagger_ui"
"""A package that ships each release of Swagger UI; only its files are used."""

_ASSETS = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
_START = "start.js"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="{here}/swagger-ui.css">
<link rel="icon" type="image/png" href="{here}/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{here}/swagger-ui-bundle.js"></script>
<script src="{here}/start.js"></script>
</body>
</html>
"""

_SCRIPT = """window.ui = SwaggerUIBundle({
  url: new URL("../_openapi", document.currentScript.src).pathname,
  dom_id: "#swagger-ui",
  deepLinking: true,
  persistAuthorization: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
"""

# Everything comes from this server; Swagger UI sets styles and embeds icons itself.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; font-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


_MOST_KEPT = 64
"""Kinds of users whose documents are kept."""


class ApiPages:
    """The document and Swagger UI of one backoffice below one prefix.

    :param jwt_auth: what guards them and every other operation.
    :raises SSyntaxError: it names an operation that is not there.
    """

    def __init__(
        self,
        office: Backoffice,
        prefix: str,
        jwt_auth: Callable[..., Any] | None = None,
    ) -> None:
        self._office = office
        self._prefix = prefix
        self._jwt_auth = jwt_auth
        self._schemes = security_schemes(jwt_auth)
        self.rows = secured(table(office, prefix, self), jwt_auth)
        self._place = f"{base_path(office, prefix)}/_openapi"
        self._kept: dict[Hashable, tuple[Schema, bytes]] = {}

    @cached_property
    def described(self) -> Schema:
        """The OpenAPI document of all that there is, made once."""
        return document(self._office, self.rows, self._schemes)

    def for_user(self) -> Schema:
        """The OpenAPI document of what the current user may use."""
        return self._for_user()[0]

    def openapi(self, request: Request) -> Response:
        """The document for the current user; its server is where the routes are
        mounted."""
        described, text = self._for_user()
        mounted = request.uri.removesuffix(self._place)
        if mounted in ("", request.uri):
            return Response(200, text, JSON)
        servers = [{**one, "url": mounted} for one in described["servers"]]
        return Response(200, to_json({**described, "servers": servers}), JSON)

    def _for_user(self) -> tuple[Schema, bytes]:
        """The document for the current user, and its text; users who may use the same
        share it."""
        meeting = tuple(one.meeting() for one in self._office.collections.values())
        found = self._kept.get(meeting)
        if found is None:
            if len(self._kept) >= _MOST_KEPT:
                self._kept = {}
            made = self._made_for_user()
            found = self._kept[meeting] = made, to_json(made)
        return found

    def _made_for_user(self) -> Schema:
        rows = table(self._office, self._prefix, self, for_user)
        guarded = secured(rows, self._jwt_auth, partly=True)
        return document(self._office, guarded, self._schemes, for_user)

    def docs(self, request: Request) -> Response:
        """The page that shows the document."""
        here = escape(request.uri, quote=True)
        page = _PAGE.format(title=escape(self._office.name), here=here)
        headers = (("content-security-policy", _POLICY),)
        return Response(200, page.encode(), "text/html; charset=utf-8", headers)

    def asset(self, request: Request) -> Response:
        """One of the files the page is made of.

        :raises NotFoundError: it is none of them.
        """
        name = request.path_params["asset"]
        cached = (("cache-control", "public, max-age=3600"),)
        if name == _START:
            return Response(
                200, _SCRIPT.encode(), "text/javascript; charset=utf-8", cached
            )
        if name not in _ASSETS:
            raise NotFoundError("the documentation has no such file")
        return Response(200, (_folder() / name).read_bytes(), _ASSETS[name], cached)


def _folder() -> Path:
    """Where Swagger UI's files are. The package is found without being imported."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise BackoError(
            "Swagger UI's files are missing: install backo[fastapi] or backo[flask]"
        )
    return Path(spec.submodule_search_locations[0]) / "dist"
