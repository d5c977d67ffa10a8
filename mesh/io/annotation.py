"""Annotations as pydantic is to see them: resolved, with kinds in the mesh's own form."""

import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import EncodedBytes
from pydantic.types import PathType
from typing_extensions import TypeAliasType

from mesh.io import models
from mesh.io.types.content_type import ContentType
from mesh.io.types.kind import Checked, Kind
from mesh.io.types.marker import Marker
from mesh.io.types.registry import expanded, kind_of
from mesh.io.union import Arm, InOrder


def resolve(
    annotation: Any, module_names: Mapping[str, Any], local_names: Mapping[str, Any]
) -> Any:
    """The annotation with every name in quotes, at any depth, replaced by what it names.

    Raises NameError for a name that nothing has, and whatever evaluating the text raises.
    """
    # A module is no type to get_type_hints, but `from PIL import Image` is taken for one.
    if isinstance(annotation, types.ModuleType):
        return annotation
    # get_type_hints is the public way to evaluate, and reads only __annotations__.
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    hints = typing.get_type_hints(holder, dict(module_names), dict(local_names), True)
    return hints["it"]


def for_input(annotation: Any) -> Any:
    """The annotation by which arguments are checked.

    Every type of a kind, at any depth, is `Annotated[T, kind]`. Raises TypeError if the
    annotation contradicts itself or says something about what is no such type.
    """
    return _Rewriter(lambda kind: kind).rewrite(annotation)


def for_result(annotation: Any) -> Any:
    """The annotation by which results are checked: as `for_input`, with `Checked(kind)`."""
    return _Rewriter(Checked).rewrite(annotation)


class _Rewriter:
    """Rewrites one annotation; a class of the user's that occurs often in it only once."""

    def __init__(self, mark: Callable[[Kind], Kind | Checked]) -> None:
        self._mark = mark
        self._readers: dict[Any, models.Deferred] = {}
        self._aliases: list[Any] = []

    def rewrite(self, annotation: Any, markers: tuple[Marker, ...] = ()) -> Any:
        """`annotation` with kinds; `markers` are those that stand around it."""
        if _is_special(annotation):
            annotation = expanded(annotation)
        if isinstance(annotation, _NAMED) and _is_special(annotation):
            return self._alias(annotation, markers)
        if get_origin(annotation) is Annotated:
            return self._annotated(annotation, markers)
        kind = kind_of(annotation)
        if kind is not None:
            for marker in markers:
                kind = kind.marked(marker)
            plain = Any if isinstance(annotation, types.ModuleType) else annotation
            return Annotated[plain, self._mark(kind)]
        if get_origin(annotation) in _UNIONS:
            return self._union(annotation, markers)
        if isinstance(annotation, type) and issubclass(annotation, str):
            # What a text's ContentType says is the media type of the result's own.
            markers = tuple(each for each in markers if not isinstance(each, ContentType))
        if markers:
            raise _misplaced(markers[0], annotation)
        if not _is_special(annotation):
            return annotation
        if models.members(annotation) is not None:
            return self._read(annotation)
        return self._arguments(annotation)

    def _alias(self, annotation: Any, markers: tuple[Marker, ...]) -> Any:
        if annotation in self._aliases:
            raise TypeError(f"{annotation.__name__} contains itself: make it a class")
        self._aliases.append(annotation)
        rewritten = self.rewrite(_named(annotation), markers)
        self._aliases.pop()
        return rewritten

    def _annotated(self, annotation: Any, markers: tuple[Marker, ...]) -> Any:
        inner, *metadata = get_args(annotation)
        if _is_encoded(metadata):
            return annotation
        own = tuple(each for each in metadata if isinstance(each, Marker))
        rest = [each for each in metadata if not isinstance(each, Marker | PathType)]
        if any(isinstance(each, PathType) and each.path_type != "file" for each in metadata):
            raise TypeError("folders do not travel, and files that are yet to be made don't either")
        told_apart = any(getattr(each, "discriminator", None) is not None for each in rest)
        if told_apart and get_origin(inner) in _UNIONS:
            rewritten: Any = Union[tuple(map(self.rewrite, get_args(inner)))]  # noqa: UP007 - of a tuple
        else:
            rewritten = self.rewrite(inner, (*markers, *own))
        return Annotated[(rewritten, *rest)] if rest else rewritten

    def _union(self, annotation: Any, markers: tuple[Marker, ...]) -> Any:
        arms = get_args(annotation)
        marked = _marked_arms(arms)
        if markers and not marked:
            raise _misplaced(markers[0], annotation)
        rewritten = [self.rewrite(arm, markers if arm in marked else ()) for arm in arms]
        if not any(map(_is_special, arms)):
            return annotation
        some = [arm for arm in rewritten if arm is not type(None)]
        union = self._in_order(some) if len(some) > 1 else some[0]
        return union if len(some) == len(arms) else union | None

    def _in_order(self, arms: list[Any]) -> Any:
        """The union of these arms, which are rewritten."""
        ordered = [Annotated[arm, Arm(_class(arm))] if _is_kind(arm) else arm for arm in arms]
        if self._mark is Checked:
            # A text is a text, though it may be the path of a file and the Path comes first.
            exact = [arm for arm in arms if _is_kind(arm) or _bare(arm) is str]
            ordered = [*(Annotated[arm, Arm(_class(arm), exact=True)] for arm in exact), *ordered]
        names = tuple(_name(arm) for arm in ordered)
        return Annotated[Union[tuple(ordered)], InOrder(names)]  # noqa: UP007 - of a tuple

    def _read(self, annotation: Any) -> Any:
        """What stands for a class of the user's with kinds in it."""
        known = self._readers.get(annotation)
        if known is not None:
            return known.annotation or Annotated[Any, known]
        deferred = self._readers[annotation] = models.Deferred(_name(annotation))
        deferred.annotation = models.reader(annotation, self.rewrite)
        return deferred.annotation

    def _arguments(self, annotation: Any) -> Any:
        """A generic alias with its arguments rewritten; anything else as it is."""
        origin, arguments = get_origin(annotation), get_args(annotation)
        if not isinstance(origin, type) or not isinstance(annotation, _ALIASES):
            return annotation
        rewritten = tuple(
            each if isinstance(each, list) else self.rewrite(each) for each in arguments
        )
        return origin[rewritten]  # type: ignore[index]  # it has arguments


_UNIONS = (Union, types.UnionType)
_NAMED = (typing.NewType, TypeAliasType)
_ALIASES = (types.GenericAlias, type(typing.List[int]))  # noqa: UP006 - the class of typing's own


def _is_special(annotation: Any) -> bool:
    """Whether pydantic is to see something else for it: there is a kind somewhere in it."""
    seen: set[Any] = set()
    rest = [annotation]
    while rest:
        each = rest.pop()
        if isinstance(each, list):
            rest += each
        elif get_origin(each) is Annotated:
            inner, *metadata = get_args(each)
            if _is_encoded(metadata):
                continue
            if any(isinstance(mark, Marker | PathType) for mark in metadata):
                return True
            rest.append(inner)
        elif kind_of(each) is not None or models.is_unreadable(each):
            return True
        elif (inside := expanded(each)) is not each:
            if each not in seen:  # an alias may contain itself
                seen.add(each)
                rest.append(inside)
        elif get_origin(each) is not typing.Literal:
            rest += _parts(each, seen)
    return False


def _is_encoded(metadata: list[Any]) -> bool:
    """Whether it is about bytes that travel as a text, which pydantic reads by itself."""
    return any(isinstance(each, EncodedBytes) for each in metadata)


def _parts(annotation: Any, seen: set[Any]) -> list[Any]:
    """The annotations that it is made of; none for a class that has been seen."""
    if isinstance(annotation, _NAMED):
        inside = [_named(annotation)]
    else:
        members = models.members(annotation)
        if members is None:
            return list(get_args(annotation))
        inside = [*members.values(), *get_args(annotation)]
    if annotation in seen:
        return []
    seen.add(annotation)
    return inside


def _named(annotation: Any) -> Any:
    """What a NewType or an alias stands for."""
    if isinstance(annotation, typing.NewType):
        return annotation.__supertype__
    return annotation.__value__


def _bare(annotation: Any) -> Any:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def _marked_arms(arms: tuple[Any, ...]) -> list[Any]:
    """The arms of a union that markers around it are about: kinds, or else texts."""
    bare = [(arm, _bare(arm)) for arm in arms]
    kinds = [
        arm for arm, inner in bare if kind_of(inner) is not None or get_origin(inner) in _UNIONS
    ]
    return kinds or [arm for arm, inner in bare if inner is str]


def _name(annotation: Any) -> str:
    """What an arm of a union is called in the path of a fault; empty for pydantic's own name."""
    if not _is_special(annotation):
        return ""
    bare = _bare(annotation)
    name: str = getattr(bare, "__name__", "") or getattr(get_origin(bare), "__name__", "")
    return name.rpartition(".")[2]


def _is_kind(rewritten: Any) -> bool:
    """Whether a rewritten annotation is one of a kind."""
    return get_origin(rewritten) is Annotated and any(
        isinstance(each, Kind | Checked) for each in get_args(rewritten)[1:]
    )


def _class(annotation: Any) -> type:
    """The class of the values of a kind, or of a text."""
    bare = _bare(annotation)
    found = get_origin(bare) or bare
    return found if isinstance(found, type) else object  # of a module nothing is known


def _misplaced(marker: Marker, annotation: Any) -> TypeError:
    what = annotation.__name__ if type(annotation) is type else str(annotation)
    return TypeError(f"{type(marker).__name__} says nothing about {what}")
