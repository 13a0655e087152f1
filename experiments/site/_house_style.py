"""An extension of Griffe, which reads the docstrings: what this library writes in its own way."""

import re

import griffe


class HouseStyle(griffe.Extension):
    """Reads `Example:` as doctests, and gives a Flax module the `__init__` that Flax makes."""

    def on_object(self, *, obj: griffe.Object, **rest: object) -> None:
        """Renames the section, when a function, a class or a module has been read."""
        del rest
        if obj.docstring:
            obj.docstring.value = re.sub(r"(?m)^Example:$", "Examples:", obj.docstring.value)

    def on_class(self, *, cls: griffe.Class, **rest: object) -> None:
        """Adds the method, whose arguments are the annotated fields, when a class has been read."""
        del rest
        if not any(str(base) == "nn.Module" for base in cls.bases):
            return
        fields = [member for member in cls.attributes.values() if member.annotation is not None]
        arguments = [
            griffe.Parameter(
                field.name,
                annotation=field.annotation,
                default=field.value,
                kind=griffe.ParameterKind.positional_or_keyword,
            )
            for field in fields
        ]
        own = griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword)
        parameters = griffe.Parameters(own, *arguments)
        cls.set_member("__init__", griffe.Function("__init__", parameters=parameters, parent=cls))
