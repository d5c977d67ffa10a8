"""A union that stands in several places is one message."""

from pydantic import BaseModel

import mesh
from mesh.definition.spec import service_spec


class Circle(BaseModel):
    radius: float


class Square(BaseModel):
    side: float


class Line(BaseModel):
    side: float


def test_lists_of_one_union_have_one_message_and_another_union_has_its_own() -> None:
    @mesh.service
    class Forms:
        @mesh.api
        def back(self, values: list[Circle | Square]) -> list[Circle | Square]:
            return values

        @mesh.api
        def lines(self, values: list[Circle | Line]) -> None:
            pass

    names = {each.short for each in service_spec(Forms).rpc.contract.messages}
    assert {name for name in names if "Or" in name} == {"CircleOrSquare", "CircleOrLine"}
