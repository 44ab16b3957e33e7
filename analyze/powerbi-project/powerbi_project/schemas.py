"""Hold each part of the project against the schema that it names, Microsoft's, from a folder: nothing is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jsonschema import Draft7Validator
from jsonschema.validators import validator_for
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT7

from powerbi_project.errors import ProjectError
from powerbi_project.report import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PUBLIC = "https://developer.microsoft.com/json-schemas/"
_SUFFIXES = (".json", ".pbip", ".pbir", ".pbism", ".platform")
# Themes have schemas elsewhere; `.pbi` is what Desktop keeps for itself.
_NO_SCHEMA = ("StaticResources", ".pbi")


def load_schemas(folder: Path) -> Registry[object]:
    """All schemas of a copy of Microsoft's `json-schemas` repository, by their public address.

    Raises:
        ProjectError: There are none.
    """
    found = []
    for path in sorted(folder.rglob("*.json")):
        resource: Resource[object] = Resource.from_contents(read_json(path), default_specification=DRAFT7)
        found.append((_PUBLIC + path.relative_to(folder).as_posix(), resource))
    if not found:
        raise ProjectError(f"{folder} holds no schemas; name a copy of microsoft/json-schemas.")
    return Registry().with_resources(found)


def parts(project: Path) -> list[Path]:
    """The files that name a schema, or should."""
    return [
        path
        for path in sorted(project.rglob("*"))
        if path.is_file() and path.name.endswith(_SUFFIXES) and not set(_NO_SCHEMA).intersection(path.parts)
    ]


def schema_errors(project: Path, schemas: Registry[object]) -> Iterator[str]:
    """Where a part breaks its schema, or names none that is known."""
    for path in parts(project):
        part, name = read_json(path), path.relative_to(project).as_posix()
        address = part.get("$schema")
        try:
            schema = schemas.contents(address)
        except (Unresolvable, LookupError, AttributeError):
            yield f"{name}: no schema is known by {address!r}"
            continue
        for error in validator_for(schema, Draft7Validator)(schema, registry=schemas).iter_errors(part):
            yield f"{name} {error.json_path}: {error.message[:200]}"
