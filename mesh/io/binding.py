"""Which value goes where: a caller's arguments to inputs, and inputs to the user's function."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from mesh.errors import Violation
from mesh.io.replies.encoder import ReplyEncoder
from mesh.io.signature import ARGS, KWARGS, Signature
from mesh.io.violations import invalid_input

NO_ITEM: Any = type("NoItem", (), {"__repr__": lambda _: "NO_ITEM", "__slots__": ()})()
"""Stands for "this message carries no item of the stream"."""

_TWICE = ("multiple_argument_values", "Got multiple values for argument")  # pydantic's words
_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Bound(NamedTuple):
    """What the user's function is called with.

    `args` are a root input, or the items of `*args` and what stands before them; `kwargs` is the
    rest, and the caller's to change.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def encoder(self) -> ReplyEncoder | None:
        """What makes the reply, if the body itself says in which form it is wanted."""
        return None


class Asking(Bound):
    """As Bound, from a body that says in which form its reply is wanted."""

    _encoder: ReplyEncoder

    def __new__(cls, bound: Bound, encoder: ReplyEncoder) -> Self:
        """The same arguments, with what makes the reply."""
        made = super().__new__(cls, *bound)
        made._encoder = encoder
        return made

    @property
    def encoder(self) -> ReplyEncoder:
        """What makes the reply."""
        return self._encoder


@dataclass(frozen=True, slots=True)
class Binding:
    """How the arguments of one method are passed."""

    signature: inspect.Signature
    stream: str | None
    names: tuple[str, ...]
    """Inputs that may be given by position, in order; the stream among them."""
    known: frozenset[str]
    required: frozenset[str]
    leading: tuple[str, ...]
    """Inputs that the function takes by position: a root input, or what is before `*args`."""
    star: str | None
    """The caller's name of `*args`, if there are any; as an input they are ARGS."""
    double_star: str | None
    """The caller's name of `**kwargs`, if there are any; as an input they are KWARGS."""
    taken: frozenset[str]
    """Names that can't be among `**kwargs`."""

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Inputs by name, the stream among them, as Python would bind them.

        Raises TypeError as a call of the method would; defaults are not filled in.
        """
        if self.star is None and self.double_star is None:
            if len(args) <= len(self.names):
                bound = dict(zip(self.names, args, strict=False))
                if kwargs.keys() <= self.known and kwargs.keys().isdisjoint(bound):
                    bound.update(kwargs)
                    if self.required <= bound.keys():
                        return bound
            return dict(self.signature.bind(*args, **kwargs).arguments)
        bound = dict(self.signature.bind(*args, **kwargs).arguments)
        if self.star is not None:
            bound[ARGS] = list(bound.pop(self.star, ()))
        if self.double_star is not None:
            bound[KWARGS] = bound.pop(self.double_star, {})
        return bound

    def split_stream(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any], Any]:
        """What the inputs but for the stream are bound from, and what was given for the stream.

        Raises TypeError as a call of the method would.
        """
        if self.stream is None:
            return args, dict(kwargs), None
        if self.stream in kwargs:
            rest = dict(kwargs)
            return args, rest, rest.pop(self.stream)
        bound = self.bind(args, kwargs)
        place = self.names.index(self.stream)
        return (*args[:place], None, *args[place + 1 :]), dict(kwargs), bound[self.stream]

    def bind_inputs(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """As `bind`, without the stream, which may have been taken out of the arguments."""
        if self.stream is None:
            return self.bind(args, kwargs)
        if self.stream not in kwargs and self.stream not in self.names[: len(args)]:
            kwargs = {self.stream: None, **kwargs}
        bound = self.bind(args, kwargs)
        del bound[self.stream]
        return bound

    def bound(self, found: dict[str, Any]) -> tuple[Bound, Any]:
        """What the function is called with, and the first item of the stream or NO_ITEM.

        `found` has a value for every input, and is used up. Raises InvalidArgument for a name
        among `**kwargs` that is taken.
        """
        item = NO_ITEM if self.stream is None else found.pop(self.stream)
        args: tuple[Any, ...] = ()
        if self.leading:
            args = tuple([found.pop(name) for name in self.leading])
        if self.star is not None:
            args += tuple(found.pop(ARGS))
        if self.double_star is not None:
            more = found.pop(KWARGS)
            self._check_free(more)
            found |= more
        return Bound(args, found), item

    def _check_free(self, more: Mapping[str, Any]) -> None:
        faults = tuple(Violation((KWARGS, name), *_TWICE) for name in more if name in self.taken)
        if faults:
            raise invalid_input(faults)


def binding(signature: Signature) -> Binding:
    """How the arguments of a method of this signature are passed."""
    visible = signature.callable.parameters.values()
    star = _named(signature, inspect.Parameter.VAR_POSITIONAL)
    double_star = _named(signature, inspect.Parameter.VAR_KEYWORD)
    by_position = tuple(each.name for each in visible if each.kind in _BY_POSITION)
    plain = [each for each in visible if each.name not in (star, double_star)]
    return Binding(
        signature=signature.callable,
        stream=signature.stream.name if signature.stream else None,
        names=by_position,
        known=frozenset(each.name for each in plain if each.kind is not each.POSITIONAL_ONLY),
        required=frozenset(each.name for each in plain if each.default is each.empty),
        leading=by_position if star is not None or signature.root else (),
        star=star,
        double_star=double_star,
        taken=frozenset(signature.names),
    )


def _named(signature: Signature, kind: Any) -> str | None:
    visible = signature.callable.parameters.values()
    return next((each.name for each in visible if each.kind is kind), None)
