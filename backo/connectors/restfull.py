"""Items kept by another server, behind its REST API."""

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, unquote, urlencode, urlsplit

from backo.connectors.base import DBConnector, Document
from backo.connectors.http_answers import Answer, refusal
from backo.connectors.texts import not_found
from backo.errors import BackoError, DBError, SSyntaxError

if TYPE_CHECKING:
    from backo.connectors.http_client import HttpClient

__all__ = ["DBRestfullConnector", "quoted_id", "segment"]

MAX_ID = 2000
"""Characters of an id in a URL: servers take no lines of any length."""

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


class DBRestfullConnector(DBConnector):
    """A REST API as a store: a subclass says how it is searched, by ``select`` and
    ``drop``.

    A resource is at ``{prefix}/{endpoint}``, an item at ``{prefix}/{endpoint}/{_id}``.
    Every method takes these, for one call:

    * ``endpoint``: instead of the connector's;
    * ``url_parameters``: more segments of the path, after the id;
    * ``query_options``: the query string;
    * ``method``: another than GET, PUT or DELETE (``create`` always posts);
    * ``data``: a body where the document is none (``get_by_id``, ``delete_by_id``).

    What is idempotent is tried again when nobody answers. A POST is only when it cannot
    have arrived; when its answer is lost, nobody knows whether there is a new item.

    :param host: name or address; :param port: 443 or 80 if it is not said;
    :param prefix: the path before all endpoints
    :param validate_cert: False takes any certificate; a path names those to trust
    :param username: with ``password``, for Basic; :param auth_token: for Bearer
    :param endpoint: where items are, below ``prefix``
    :param connect_timeout: seconds; :param timeout: seconds to the next byte;
    :param total_timeout: seconds for a call with all its tries
    :param retries: tries after the first; :param max_answer: bytes
    :raises SSyntaxError: one of them cannot be.
    """

    makes_ids: ClassVar[bool] = True

    def __init__(
        self,
        *,
        host: str,
        port: int | None = None,
        tls: bool = True,
        validate_cert: bool | str = True,
        prefix: str = "",
        username: str | None = None,
        password: str | None = None,
        auth_token: str | None = None,
        endpoint: str = "",
        connect_timeout: float = 3.0,
        timeout: float = 10.0,
        total_timeout: float = 30.0,
        retries: int = 2,
        max_answer: int = 16 * 1024 * 1024,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.endpoint = endpoint
        self._prefix = _joined(prefix)
        origin = _origin(host, port, tls=tls)
        self._uri = origin + self._prefix
        self._http = _client(
            origin,
            (username, password, auth_token),
            validate_cert,
            connect_timeout=connect_timeout,
            timeout=timeout,
            total_timeout=total_timeout,
            retries=retries,
            max_answer=max_answer,
        )

    def place(self) -> object:
        return ("rest", self._uri, _joined(self.endpoint))

    def close(self) -> None:
        self._http.close()

    # the six

    def create(self, o: Document, **kwargs: Any) -> str:
        """Post the document, and give the ``_id`` (or ``id``, or the end of
        ``Location``) of the answer.

        :raises DuplicateIdError: the server says so.
        """
        answer = self.call("POST", (), o, **{**kwargs, "method": None, "data": None})
        return _id_of(answer)

    def get_by_id(self, _id: str, **kwargs: Any) -> Document:
        """The item that the server has. :raises NotFoundError:"""
        data = kwargs.pop("data", None)
        found = self.call("GET", (quoted_id(_id),), data, **kwargs).document()
        return {**found, "_id": _id}

    def save(self, _id: str, o: Document, **kwargs: Any) -> Any:
        """Put the document in the place of the item, and give True.

        :raises NotFoundError:
        """
        self.call("PUT", (quoted_id(_id),), o, **{**kwargs, "data": None})
        return True

    def delete_by_id(self, _id: str, **kwargs: Any) -> bool:
        """Delete the item, and give True. :raises NotFoundError:"""
        data = kwargs.pop("data", None)
        self.call("DELETE", (quoted_id(_id),), data, **kwargs)
        return True

    @abstractmethod
    def drop(self, **kwargs: Any) -> None:
        """Delete every item."""

    @abstractmethod
    def select(
        self,
        select_filter: Any,
        projection: Any = None,
        page_size: int = 0,
        num_of_element_to_skip: int = 0,
        sort_object: Any = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Items by a filter in the language of the server; page size 0: all. backo
        asks for all of them (``select({}, {}, 0, 0, {"_id": 1})``) and does the rest,
        unless :class:`~backo.connectors.base.Capabilities` say more."""

    # for subclasses

    def call(
        self,
        default: str,
        path: Sequence[str],
        payload: Any = None,
        *,
        endpoint: str | None = None,
        method: str | None = None,
        url_parameters: Sequence[object] | None = None,
        query_options: Mapping[str, Any] | None = None,
        data: Any = None,
    ) -> Answer:
        """The answer to one call; ``path`` is of quoted segments, below the endpoint.

        :raises BackoError: it is no success: the error that fits.
        """
        verb = method or default
        if verb not in _METHODS:
            raise BackoError(f"method: {verb!r:.20} is none of {sorted(_METHODS)}")
        more = [segment(str(one)) for one in url_parameters or ()]
        place = _joined(self.endpoint if endpoint is None else endpoint)
        asked = self._prefix + "".join([place, *(f"/{one}" for one in (*path, *more))])
        query = urlencode(query_options, doseq=True) if query_options else ""
        content = data if payload is None else payload
        return self.ask(verb, f"{asked or '/'}{'?' if query else ''}{query}", content)

    def ask(
        self,
        method: str,
        path: str,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        idempotent: bool | None = None,
        also: frozenset[int] = frozenset(),
    ) -> Answer:
        """The answer to one request, when it is a success or a status of ``also``.

        :param path: from the root of the server, quoted, with its query.
        :param content: the body, as JSON; None for none.
        :raises BackoError: it is no success: the error that fits.
        """
        body, sent = None, dict(headers or {})
        if content is not None:
            body = _json(content)
            sent["Content-Type"] = "application/json"
        answer = self._http.ask(
            method, path, body=body, headers=sent, idempotent=idempotent
        )
        if not answer.ok and answer.status not in also:
            raise self.refused(method, answer)
        return answer

    def refused(self, method: str, answer: Answer) -> Exception:
        """The error that an answer without success stands for."""
        return refusal(answer, f"{method} {self._uri}", self._http.scrub)


# -- addresses ---------------------------------------------------------------------


def segment(text: str) -> str:
    """The text as one segment of a path.

    :raises BackoError: it would be none, or another one, once the other server, or
        what stands before it, has read it.
    """
    if text in ("", ".", "..") or any(map(_divides, text)):
        raise BackoError(f"{text!r:.100} is no segment of a path")
    try:
        return quote(text, safe="")
    except UnicodeEncodeError as error:
        raise BackoError(f"{text!r:.100} is no valid Unicode") from error


def _divides(character: str) -> bool:
    """Many servers decode a path before they take it apart."""
    return character in "/\\" or ord(character) < 32 or ord(character) == 127


def quoted_id(_id: object) -> str:
    """The id as one segment of a path.

    :raises NotFoundError: no URL can name an item of this id.
    """
    if not isinstance(_id, str):
        raise not_found(_id)
    try:
        quoted = segment(_id)
    except BackoError as error:
        raise not_found(_id) from error
    if len(quoted) > MAX_ID:
        raise not_found(_id)
    return quoted


def _origin(host: str, port: int | None, *, tls: bool) -> str:
    # What is refused is not repeated: it may hold a password.
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not bare or any(one in bare for one in "/@?#\\[]% ") or not bare.isprintable():
        raise SSyntaxError(
            "host: a name or an address alone; path, port and password have their own "
            "options"
        )
    if port is not None and not 0 < port < 65536:
        raise SSyntaxError("port: {0} is none", port)
    scheme, usual = ("https", 443) if tls else ("http", 80)
    name = f"[{bare}]" if ":" in bare else bare.lower()
    origin = f"{scheme}://{name}" + ("" if port in (None, usual) else f":{port}")
    try:
        urlsplit(origin)
    except ValueError as error:
        raise SSyntaxError("host: no name and no address") from error
    return origin


def _joined(path: str) -> str:
    """``a/b/`` as ``/a/b``, quoted."""
    try:
        return "".join(f"/{segment(one)}" for one in path.split("/") if one)
    except BackoError as error:
        raise SSyntaxError("{0} is no path", path) from error


def _client(
    origin: str,
    who: tuple[str | None, str | None, str | None],
    verify: bool | str,
    **limits: Any,
) -> "HttpClient":
    """:raises SSyntaxError: what was given cannot be."""
    for name, value in limits.items():
        if value < 0 or (value == 0 and name != "retries"):
            raise SSyntaxError("{0}: {1} is too little", name, value)
    # requests is an optional dependency.
    from backo.connectors.http_client import Credentials, HttpClient, Limits

    try:
        credentials = Credentials(*who)
    except ValueError as error:
        raise SSyntaxError("{0}", error) from None
    return HttpClient(origin, credentials, verify, Limits(**limits))


# -- bodies ------------------------------------------------------------------------


def _json(content: Any) -> bytes:
    """:raises DBError: it is no JSON."""
    try:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise DBError(f"a document cannot be sent: {error}") from error


def _id_of(answer: Answer) -> str:
    """The id of the item that was made."""
    if answer.body:
        found = answer.document()
        _id = found.get("_id", found.get("id"))
    else:
        path = urlsplit(answer.headers.get("location", "")).path
        _id = unquote(path.rpartition("/")[2])
    if isinstance(_id, bool) or not isinstance(_id, str | int) or _id == "":
        raise DBError("the other server does not say which _id it gave")
    return str(_id)
