"""What one operation is: a row of the table."""

import dataclasses
from collections.abc import Callable, Mapping

from backo.declaration import Lookup
from backo.http.messages import JSON, Request, Response
from backo.http.parameters import Parameter

__all__ = ["Answer", "Endpoint", "Follow", "base_path", "method_name"]

type Handler = Callable[[Request], Response]


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What an operation may answer with: which schemas, and which headers."""

    description: str
    components: tuple[str, ...] = ()
    """Names of component schemas, one of which the body is."""
    media: str | None = JSON
    headers: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    """Those of the headers that are not always there."""
    links: Mapping[str, "Follow"] = dataclasses.field(default_factory=dict)
    """Other operations that take what is in the body, by their names."""


@dataclasses.dataclass(frozen=True, slots=True)
class Follow:
    """An operation on an item, and where in an answer its id stands."""

    operation_id: str
    pointer: str
    description: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One operation."""

    method: str
    path: str
    """Its template, from the root: ``/bookcase/books/{id}``."""
    operation_id: str
    tag: str
    summary: str
    description: str
    handler: Handler = dataclasses.field(compare=False, repr=False)
    success: Mapping[int, Answer]
    problems: tuple[int, ...] = ()
    """Statuses of problems that this operation has of its own."""
    parameters: tuple[Parameter, ...] = ()
    consumes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Media types of the body, each with the name of its component schema."""
    check: Callable[[Request], None] | None = dataclasses.field(
        default=None, compare=False, repr=False
    )
    """Finds first what the handler would find wrong with the body, without asking the
    store."""
    encodings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Of the parts of a form, the media types they may have (several by commas)."""
    body_required: bool = True
    produces: str = JSON
    documented: bool = True
    page: str | None = None
    """The page about the API that it is (a part of): ``_docs``, ..."""
    public: bool = False
    """Whether it answers without a token, where others do not."""
    security: tuple[str, ...] | None = None
    """The security schemes any of which lets the caller in; None: nothing is said."""

    @property
    def status(self) -> int:
        """The status of its success."""
        return next(iter(self.success))


def base_path(office: Lookup, prefix: str) -> str:
    """``/{prefix}/{name}``: what every path of a backoffice begins with."""
    steps = [step for step in prefix.split("/") if step]
    return "/" + "/".join([*steps, office.name])


def method_name(name: str) -> str:
    """``name`` as generated clients can call a method."""
    plain = name.replace("-", "_")
    return plain if plain.isidentifier() else f"_{plain}"
