"""What an organization used."""

from typing import Any

from pydantic import Field

from mesh.faces.cloud.wire.base import Wire


class UsageView(Wire):
    """What was used, by metric: a value as a text for each step of time from the start on."""

    start_time: str = Field(serialization_alias="startTime")
    end_time: str = Field(serialization_alias="endTime")
    granularity: str
    data: dict[str, tuple[str, ...]]
    debug: bool = False
    debug_info: Any = Field(default=None, serialization_alias="debugInfo")
    raw_lago_response: Any = Field(default=None, serialization_alias="rawLagoResponse")
