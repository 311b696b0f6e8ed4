"""ItemPlan → dynamic Pydantic models: create, update, and one per view.

Each is a :class:`pydantic.RootModel` over a typed dict, so that validating gives the
plain document itself and any field name works (``_id``, ``copy``, ``model_config``).
Values come out in document form: the one text of a date, an address, a number.
"""

import copy
import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired, Required, TypedDict

import pydantic
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WrapValidator
from pydantic_core import PydanticCustomError

from backo.errors import VALUE_ERRORS
from backo.schema import checks, wire
from backo.schema.jsonschema import Use, field_schema, object_schema
from backo.schema.patterns import matcher
from backo.schema.plan import FieldPlan, ItemPlan, Kind

__all__ = [
    "DocumentModel",
    "ItemModels",
    "annotation_of",
    "compile_models",
    "component_name",
    "document_model",
    "input_model",
    "result_model",
    "shown_component",
    "stored_model",
    "view_suffix",
]


class DocumentModel(pydantic.RootModel[Any]):
    """The base of every generated model: a document, validated, nothing coerced."""

    model_config = ConfigDict(strict=True)

    @classmethod
    def document(cls, value: Any) -> dict[str, Any]:
        """``value`` as a complete document.

        :raises pydantic.ValidationError: with every fault.
        """
        root: dict[str, Any] = cls.__pydantic_validator__.validate_python(value).root
        return root

    @classmethod
    def row(cls, value: list[Any]) -> list[Any]:
        """``value`` as a complete row, where the model is that of rows.

        :raises pydantic.ValidationError: with every fault.
        """
        root: list[Any] = cls.__pydantic_validator__.validate_python(value).root
        return root

    @classmethod
    def document_json(cls, text: str | bytes) -> dict[str, Any]:
        """The complete document that the JSON ``text`` holds.

        :raises pydantic.ValidationError: with every fault.
        """
        root: dict[str, Any] = cls.__pydantic_validator__.validate_json(text).root
        return root


@dataclasses.dataclass(frozen=True)
class ItemModels:
    """The models of one collection."""

    create: type[DocumentModel]
    """What ``POST`` takes: defaults filled in, read-only fields refused."""
    update: type[DocumentModel]
    """What ``PUT`` takes: every field may be left out."""
    whole: type[DocumentModel]
    """Every field that can be read, in no particular view."""
    views: Mapping[str, type[DocumentModel]]
    """What is answered, for each view a caller may ask for."""


def compile_models(plan: ItemPlan) -> ItemModels:
    """The models for ``plan``; their names are stable: ``Books``, ``BooksCreate``."""
    name = component_name(plan.name)
    return ItemModels(
        create=_model(f"{name}Create", plan.root, Use.CREATE),
        update=_model(f"{name}Update", plan.root, Use.UPDATE),
        whole=_model(f"{name}Whole", plan.root, Use.READ),
        views={
            view: _model(name + view_suffix(view), plan.view(view), Use.READ)
            for view in plan.view_names
        },
    )


def stored_model(plan: ItemPlan) -> type[DocumentModel]:
    """What a store keeps: defaults filled in, all else that is there left out. Fields
    that some items have not are not required."""
    root = _with_optional(plan.root)
    return _model(f"{component_name(plan.name)}Stored", root, Use.STORE)


def _with_optional(field: FieldPlan) -> FieldPlan:
    return dataclasses.replace(
        field,
        required=field.required and not field.conditional,
        fields=tuple(_with_optional(child) for child in field.fields),
        element=None if field.element is None else _with_optional(field.element),
    )


def input_model(name: str, root: FieldPlan) -> type[DocumentModel]:
    """The model of what an action takes."""
    return _model(name, root, Use.CREATE)


def result_model(name: str, field: FieldPlan) -> type[DocumentModel]:
    """The model of what an action gives: a value of ``field``."""
    annotation = annotation_of(name, field, Use.READ)
    if field.nullable:
        annotation = annotation | None
    return document_model(name, annotation, field_schema(field, Use.READ))


def component_name(collection: str) -> str:
    """``book_cases`` → ``BookCases``: the collection's name as schemas carry it."""
    words = collection.replace("-", "_").split("_")
    name = "".join(word[:1].upper() + word[1:] for word in words)
    return f"{name}Item" if name in _COMMON else name


_COMMON = frozenset(
    {
        *("ActionMeta", "CollectionMeta", "Fault", "FieldMeta", "Meta", "OpenAPI"),
        *("Partial", "Problem", "Result", "SelectionMeta", "Verdict"),
    }
)
"""The schemas that every document has."""


def view_suffix(view: str) -> str:
    """What a view adds to its schema's name: nothing for ``client``."""
    if view == "client":
        return ""
    prefix = "Only" if view.startswith("+") else "View"
    return prefix + component_name(view.removeprefix("+"))


def shown_component(component: str, views: Sequence[str]) -> str:
    """The schema of an item as it is answered: its one view, or any of its views."""
    return component if len(views) == 1 else f"{component}Shown"


def _model(name: str, root: FieldPlan, use: Use) -> type[DocumentModel]:
    return document_model(name, _typed_dict(name, root, use), object_schema(root, use))


def document_model(
    name: str, root: Any, schema: Mapping[str, Any]
) -> type[DocumentModel]:
    """A model of values that the annotation ``root`` takes, described by ``schema``."""

    def describe(_cls: type, _core: Any, _handler: Any) -> dict[str, Any]:
        return copy.deepcopy(dict(schema))

    return type(
        name,
        (DocumentModel,),
        {
            "__annotations__": {"root": root},
            "__module__": __name__,
            "__doc__": schema.get("description"),
            "__get_pydantic_json_schema__": classmethod(describe),
        },
    )


def _typed_dict(name: str, field: FieldPlan, use: Use) -> Any:
    keys = {
        child.name: _entry(f"{name}_{child.name}", child, use)
        for child in field.fields
        if use.takes(child)
    }
    if use is Use.CREATE:
        own = ((child, _own_default(child)) for child in field.fields)
        keys |= {
            child.name: _set_by_us(default)
            for child, default in own
            if child.name not in keys and default is not None
        }
    make: Any = TypedDict
    typed = make(name, keys)
    extra: Literal["ignore", "forbid"] = (
        "ignore" if use in (Use.READ, Use.STORE) else "forbid"
    )
    typed.__pydantic_config__ = ConfigDict(strict=True, extra=extra)
    return typed


def _own_default(field: FieldPlan) -> Any:
    """What stands in a new document where nobody may say what; None: nothing."""
    if field.kind is not Kind.DICT:
        return None if callable(field.default) else field.default
    below = ((child.name, _own_default(child)) for child in field.fields)
    return {name: default for name, default in below if default is not None} or None


def _set_by_us(default: Any) -> Any:
    """The annotation of a key that is not to be given."""
    fresh = functools.partial(copy.deepcopy, default)
    return Annotated[Any, BeforeValidator(_not_given), Field(default_factory=fresh)]


def _not_given(_value: Any) -> Any:
    # As if there were no such key.
    raise PydanticCustomError("extra_forbidden", "Extra inputs are not permitted")


def _entry(name: str, field: FieldPlan, use: Use) -> Any:
    """The annotation of one key: its type, and what stands there when it is absent."""
    annotation = annotation_of(name, field, use)
    if field.nullable:
        annotation = annotation | None
    if _may_be_absent(field, use):
        return NotRequired[annotation]
    if field.grouping:
        return Annotated[annotation, Field(default_factory=dict, validate_default=True)]
    if field.default is not None and not callable(field.default):
        fresh = functools.partial(copy.deepcopy, field.default)
        return Annotated[annotation, Field(default_factory=fresh)]
    if field.nullable:
        return Annotated[annotation, Field(default=None)]
    return Required[annotation]


def _may_be_absent(field: FieldPlan, use: Use) -> bool:
    """Whether nothing stands in the place of the field where it is not given."""
    if use is Use.UPDATE or field.conditional:
        return True
    # A function is not to be told of what nobody gave.
    optional = not field.required or field.default is not None
    given = optional and use is not Use.READ and _is_transformed(field)
    if given or callable(field.default) or field.computed:
        return use is not Use.READ or not field.nullable
    return False


def _is_transformed(field: FieldPlan) -> bool:
    below = (field,) if field.kind is Kind.DICT else field.walk()
    return any(one.transformed for one in below)


def annotation_of(name: str, field: FieldPlan, use: Use) -> Any:
    """The type of a field's value, without null and without what stands when absent.

    What is to be transformed first is held to its bounds by the Item.
    """
    if field.transformed and use is not Use.READ:
        field = field.unbounded
    if field.file is not None and use.given:
        return Annotated[Any, AfterValidator(checks.given_file)]
    if field.custom and field.kind is not Kind.DICT:
        return Annotated[Any, AfterValidator(functools.partial(_through_node, field))]
    annotation = _BUILDERS[field.kind](name, field, use)
    if field.enum is not None and not callable(field.enum):
        check = functools.partial(checks.enum, field.enum)
        annotation = Annotated[annotation, AfterValidator(check)]
    return annotation


def _string(_name: str, field: FieldPlan, _use: Use) -> Any:
    annotation: Any = str
    for pattern in field.patterns:
        if isinstance(pattern, str):
            check = functools.partial(checks.pattern, pattern, matcher(pattern))
            annotation = Annotated[annotation, AfterValidator(check)]
    return annotation


def _int(_name: str, field: FieldPlan, _use: Use) -> Any:
    low = wire.INT_MIN if field.minimum is None else max(field.minimum, wire.INT_MIN)
    high = wire.INT_MAX if field.maximum is None else min(field.maximum, wire.INT_MAX)
    return Annotated[int, Field(ge=low, le=high)]


def _float(_name: str, field: FieldPlan, _use: Use) -> Any:
    bounds = Field(ge=field.minimum, le=field.maximum, allow_inf_nan=False)
    return Annotated[float, bounds]


def _bool(_name: str, _field: FieldPlan, _use: Use) -> Any:
    return bool


def _datetime(_name: str, field: FieldPlan, _use: Use) -> Any:
    canonical = functools.partial(wire.canonical_datetime, truncate=field.truncates)
    read = functools.partial(checks.in_format, canonical, "an ISO 8601 date and time")
    annotation: Any = Annotated[str, AfterValidator(read)]
    if field.minimum is None and field.maximum is None:
        return annotation
    within = functools.partial(checks.moment_within, field.minimum, field.maximum)
    return Annotated[annotation, AfterValidator(within)]


def _text_of(canonical: Callable[[str], str], wanted: str) -> Callable[..., Any]:
    check = functools.partial(checks.in_format, canonical, wanted)
    return lambda _name, _field, _use: Annotated[str, AfterValidator(check)]


def _freedict(_name: str, _field: FieldPlan, _use: Use) -> Any:
    check = functools.partial(checks.in_format, wire.check_json, "a JSON object")
    return Annotated[dict[str, Any], AfterValidator(check)]


def _extend(_name: str, field: FieldPlan, _use: Use) -> Any:
    return Annotated[Any, AfterValidator(functools.partial(_through_node, field))]


def _list(name: str, field: FieldPlan, use: Use) -> Any:
    element = annotation_of(f"{name}_element", field.held, use.of_elements)
    bounds = Field(min_length=field.minimum, max_length=field.maximum)
    annotation: Any = Annotated[list[element], bounds]  # type: ignore[valid-type]
    if field.uniq:
        annotation = Annotated[annotation, AfterValidator(checks.uniq)]
    return annotation


def _tuple(name: str, field: FieldPlan, use: Use) -> Any:
    elements = tuple(
        annotation_of(f"{name}_{index}", element, use.of_elements)
        for index, element in enumerate(field.elements)
    )
    from_json = Field(strict=False)
    return Annotated[tuple[elements], from_json, AfterValidator(list)]  # type: ignore[valid-type]


def _in(name: str, field: FieldPlan, use: Use) -> Any:
    alternatives = [
        annotation_of(f"{name}_{index}", element, use.of_elements)
        for index, element in enumerate(field.elements)
    ]
    union = functools.reduce(lambda left, right: left | right, alternatives)
    return Annotated[
        union, Field(union_mode="left_to_right"), WrapValidator(checks.one_alternative)
    ]


_BUILDERS: Mapping[Kind, Callable[[str, FieldPlan, Use], Any]] = {
    Kind.STRING: _string,
    Kind.INT: _int,
    Kind.FLOAT: _float,
    Kind.BOOL: _bool,
    Kind.DATETIME: _datetime,
    Kind.BYTES: _text_of(wire.canonical_base64, "base64"),
    Kind.IPADDRESS: _text_of(wire.canonical_ipaddress, "an IP address"),
    Kind.IPNETWORK: _text_of(wire.canonical_ipnetwork, "an IP network"),
    Kind.URL: _text_of(wire.canonical_url, "a URL"),
    Kind.FREEDICT: _freedict,
    Kind.EXTEND: _extend,
    Kind.DICT: _typed_dict,
    Kind.LIST: _list,
    Kind.TUPLE: _tuple,
    Kind.IN: _in,
}


def _through_node(field: FieldPlan, value: Any) -> Any:
    """``value`` as the user's own class takes and writes it."""
    if value is None:
        raise PydanticCustomError("type", "may not be null")
    probe = copy.copy(field.node)
    # Functions that may ask for the whole item are the Item's to call.
    own = probe.__dict__
    own.update(_parent=None, _constraints=[])
    if callable(own["_union"]):
        own["_union"] = None
    if field.transform is not None:
        own["_transform"] = None
    take = probe.set_value if field.transformed else probe.set
    try:
        take(value)
    except VALUE_ERRORS as error:
        raise PydanticCustomError(
            "type", "{reason}", {"reason": error.to_string()}
        ) from error
    return probe.get_encoded()
