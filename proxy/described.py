"""The words under the fields of a model, read from its source only when somebody wants it described.

pydantic can read them while a class is made (`use_attribute_docstrings`), and parses the class's module for each one. A
gateway that only serves describes nothing, and would pay for that with a good part of every start.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from itertools import pairwise
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic_core import CoreSchema


class Described(BaseModel):
    """A model whose JSON Schema tells of each field what stands under it, unless the field has a description."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """:see: `pydantic.BaseModel`."""
        schema = handler(core)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in descriptions(cls).items():
            info = cls.model_fields.get(name)
            if info is not None and info.description is None:
                for key in {info.alias or name, name} & properties.keys():
                    properties[key]["description"] = text
        return schema


@cache
def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """What stands under the fields of a model, and of those that it is made from, by the field's name.

    Nothing is known of a model whose source is not at hand.
    """
    found: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if issubclass(kind, BaseModel) and kind not in (BaseModel, Described):
            found |= _under_fields(kind)
    return found


def _under_fields(kind: type[BaseModel]) -> dict[str, str]:
    try:
        source = textwrap.dedent(inspect.getsource(kind))
    except (OSError, TypeError):
        return {}
    (made,) = ast.parse(source).body
    found = {}
    for one, other in pairwise(made.body if isinstance(made, ast.ClassDef) else ()):
        match one, other:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = inspect.cleandoc(text)
    return found
