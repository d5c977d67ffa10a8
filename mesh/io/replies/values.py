"""What one method returns: checked against its annotation, and as wire values."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from mesh.errors import Internal
from mesh.io.types.kind import KIND, WIRE, Checked, Kind
from mesh.io.types.registry import wire_value
from mesh.io.violations import first_fault

Step = Callable[[Any], Any]
MadeT = TypeVar("MadeT")


@dataclass(frozen=True, slots=True)
class Values:
    """How the results of one method are checked and taken apart.

    `check` gives a result the type it is declared with, `wire` makes a checked one a wire value;
    both raise ValueError or TypeError. `root` is the kind that the whole result is, `kinds` are
    all that can be in it; `is_free` says that the annotation is `Any`.
    """

    method: str
    check: Step
    wire: Step
    root: Kind | None
    kinds: tuple[Kind, ...]
    is_free: bool

    @property
    def has_files(self) -> bool:
        """Whether the annotation has files in it, so that taking results apart can block."""
        return any(each.json_schema().get("type") == "file" for each in self.kinds)

    def guarded(self, make: Callable[[Any], MadeT]) -> Callable[[Any], MadeT]:
        """`make` for checked results as a function of unchecked ones, which raises Internal."""

        def made(value: Any) -> MadeT:
            try:
                return make(self.check(value))
            except ValidationError as error:
                raise self._misfit(first_fault(error)) from error
            except PydanticSerializationError as error:
                raise self._misfit(str(error)) from error
            except (TypeError, ValueError, OSError, RecursionError) as error:  # orjson's among them
                raise self._misfit(str(error)) from error

        return made

    def _misfit(self, reason: str) -> Internal:
        return Internal(f"{self.method}: the result does not fit the return annotation: {reason}")


def values(method: str, annotation: Any, checked: Any, of: TypeAdapter[Any]) -> Values:
    """How results are read that `annotation` promises and `checked` (by `for_result`) checks."""
    root = _root(checked)
    kinds = (root,) if root is not None else tuple(_kinds(of.core_schema))
    check: Step = of.validator.validate_python
    wire: Step = dumper(of)
    if root is not None:
        check, wire = root.check, root.wire
    elif annotation is Any:
        check, wire = _same, wire_value
    return Values(method, check, wire, root, kinds, annotation is Any)


def dumper(of: TypeAdapter[Any]) -> Step:
    """What takes a value of the type apart, as far as pydantic knows it."""

    def dump(value: Any) -> Any:
        return of.dump_python(value, by_alias=True, warnings=False, context=WIRE)

    return dump


def _same(value: Any) -> Any:
    return value


def _root(checked: Any) -> Kind | None:
    if get_origin(checked) is not Annotated:
        return None
    markers = get_args(checked)[1:]
    found = [each.kind for each in markers if isinstance(each, Checked)]
    # Validators beside it are pydantic's to run.
    return found[0] if len(markers) == len(found) == 1 else None


def _kinds(schema: Any) -> Iterator[Kind]:
    """Every kind in a core schema, which is made of dicts and lists."""
    if isinstance(schema, dict):
        found = schema.get("metadata")
        if isinstance(found, dict) and isinstance(found.get(KIND), Kind):
            yield found[KIND]
            return
        for key, each in schema.items():
            if key not in ("metadata", "default", "expected"):
                yield from _kinds(each)
    elif isinstance(schema, list | tuple):
        for each in schema:
            yield from _kinds(each)
