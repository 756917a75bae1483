from __future__ import annotations

from typing import Any

import pytest

from tdvc.model.schema import MisplacedError, Schema, decode_schema, plain, schema_from
from tests.model.schemas import FULL, TRAFFIC


def test_the_empty_schema_and_one_of_labels_alone_are_short() -> None:
    assert Schema().encode() == b'{"labels":{},"version":1}'
    learned = Schema().learned(["dog", "cat", "dog"])
    assert learned.encode() == (
        b'{"labels":{"cat":{"index":1,"name":"cat"},"dog":{"index":0,"name":"dog"}},"version":1}'
    )


@pytest.mark.parametrize("given", [{}, TRAFFIC, FULL])
def test_what_is_encoded_is_decoded(given: dict[str, Any]) -> None:
    schema = schema_from(given)
    assert decode_schema(schema.encode()) == schema
    assert schema_from(plain(schema)) == schema


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"colours": {}}, ""),
        ({"version": 2}, "version"),
        ({"labels": []}, "labels"),
        ({"labels": {"dog": 1}}, "labels.dog"),
        ({"labels": {"dog": {"name": "dog"}}}, "labels.dog"),
        ({"labels": {"dog": {"name": "dog", "index": 0, "size": 1}}}, "labels.dog"),
        ({"labels": {"dog": {"name": 1, "index": 0}}}, "labels.dog.name"),
        ({"labels": {"dog": {"name": "dog", "index": "x"}}}, "labels.dog.index"),
        ({"labels": {"dog": {"name": "dog", "index": 0, "types": {"box": "maybe"}}}}, "labels.dog.types"),
        ({"labels": {"dog": {"name": "dog", "index": 0, "formats": {"coco": 1}}}}, "labels.dog.formats"),
        ({"attributes": {"age": {}}}, "attributes.age"),
        ({"attributes": {"age": {"kind": "number", "minimum": "1"}}}, "attributes.age.minimum"),
        ({"attributes": {"age": {"kind": "select", "options": [{}]}}}, "attributes.age.options[0]"),
        ({"attributes": {"age": {"kind": "text", "required": 1}}}, "attributes.age.required"),
        ({"templates": {"person": {"edges": [[0, 1, 2]]}}}, "templates.person.edges"),
        ({"locked": "yes"}, "locked"),
    ],
)
def test_what_has_the_wrong_type_is_named_by_its_place(given: dict[str, Any], place: str) -> None:
    with pytest.raises(MisplacedError) as caught:
        schema_from(given)
    assert caught.value.place == place
    assert str(caught.value).startswith(place)


def test_a_label_is_found_by_key_then_name_then_alias() -> None:
    schema = schema_from(
        {
            "labels": {
                "dog": {"name": "Hound", "index": 0, "aliases": ["canine", "cat"]},
                "cat": {"name": "Cat", "index": 1, "aliases": ["canine", "Hound"]},
            }
        }
    )
    found = {text: schema.key_of(text) for text in ("dog", "Hound", "canine", "cat", "Cat", "bird", "")}
    assert found == {
        "dog": "dog",
        "Hound": "dog",
        "canine": "dog",
        "cat": "cat",
        "Cat": "cat",
        "bird": None,
        "": None,
    }
    assert schema.names() == {"dog": "Hound", "cat": "Cat"}
    assert Schema().learned(["dog"]).synonyms() == {}
