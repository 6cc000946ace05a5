"""Feast's registry file: bytes of protobuf, read as the JSON that Feast's own server makes of them.

Only what is read of it is named here, by the numbers of Feast's own definitions; a number never
changes its meaning, and what is not named is passed over.

Source: https://github.com/feast-dev/feast/tree/master/protos/feast/core (Feast 0.67)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Json = dict[str, Any]
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_BITS = 70


class _Field(NamedTuple):
    """A field that is read: text, unless it is of a shape."""

    name: str
    shape: str = ""
    is_repeated: bool = False


def _of_view(tags: int, owner: int, batch: int) -> Mapping[int, _Field]:
    return {
        1: _Field("name"),
        2: _Field("project"),
        tags: _Field("tags", "tag"),
        owner: _Field("owner"),
        batch: _Field("batchSource", "source"),
    }


_TABLE = {1: _Field("table"), 3: _Field("schema"), 4: _Field("database")}
_SHAPES: Mapping[str, Mapping[int, _Field]] = {
    "registry": {
        3: _Field("registrySchemaVersion"),
        6: _Field("featureViews", "view", is_repeated=True),
        12: _Field("dataSources", "source", is_repeated=True),
        14: _Field("streamFeatureViews", "stream_view", is_repeated=True),
    },
    "view": {1: _Field("spec", "view_spec")},
    "stream_view": {1: _Field("spec", "stream_view_spec")},
    "view_spec": _of_view(tags=5, owner=11, batch=7),
    "stream_view_spec": _of_view(tags=7, owner=8, batch=10),
    "tag": {1: _Field("key"), 2: _Field("value")},
    "source": {
        11: _Field("fileOptions", "file"),
        12: _Field("bigqueryOptions", "table"),
        15: _Field("redshiftOptions", "table_in_schema"),
        19: _Field("snowflakeOptions", "table_in_schema"),
        20: _Field("name"),
        21: _Field("project"),
        24: _Field("tags", "tag"),
        25: _Field("owner"),
        26: _Field("batchSource", "source"),
        27: _Field("sparkOptions", "spark"),
        30: _Field("trinoOptions", "table"),
        35: _Field("athenaOptions", "table_in_database"),
    },
    "file": {2: _Field("uri")},
    "table": {1: _Field("table")},
    "table_in_schema": _TABLE,
    "table_in_database": {1: _Field("table"), 3: _Field("database")},
    "spark": {1: _Field("table"), 3: _Field("path")},
}


def decoded(content: bytes) -> Json:
    """Return a registry.

    Raises: ValueError where the bytes are none.
    """
    found = _message(content, "registry")
    if "registrySchemaVersion" not in found:
        message = "it has no version of its schema"
        raise ValueError(message)
    return found


def _message(content: bytes, shape: str) -> Json:
    found: Json = {}
    for number, value in _fields(content):
        field = _SHAPES[shape].get(number)
        if field is None:
            continue
        if not isinstance(value, bytes):
            message = f"field {number} of {shape} is a number"
            raise ValueError(message)  # noqa: TRY004 - it is the content that is wrong
        if field.shape == "tag":
            pair = _message(value, "tag")
            found.setdefault(field.name, {})[pair.get("key", "")] = pair.get("value", "")
            continue
        told = _message(value, field.shape) if field.shape else value.decode()
        if field.is_repeated:
            found.setdefault(field.name, []).append(told)
        else:
            found[field.name] = told
    return found


def _fields(content: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Yield number and value of each field of a message."""
    place = 0
    while place < len(content):
        tag, place = _varint(content, place)
        kind = tag & 7
        value: bytes | int
        if kind == _VARINT:
            value, place = _varint(content, place)
        elif kind in (_FIXED64, _FIXED32):
            end = place + (8 if kind == _FIXED64 else 4)
            value, place = int.from_bytes(content[place:end], "little"), end
        elif kind == _BYTES:
            size, place = _varint(content, place)
            value, place = content[place : place + size], place + size
        else:
            message = f"no field is of kind {kind}"
            raise ValueError(message)
        if place > len(content):
            message = "it breaks off"
            raise ValueError(message)
        yield tag >> 3, value


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """Return a number, seven bits a byte, and the place after it."""
    value = shift = 0
    while shift < _MOST_BITS:
        if place >= len(content):
            break
        byte = content[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:  # noqa: PLR2004 - the last byte of a number
            return value, place
    message = "it breaks off"
    raise ValueError(message)
