"""Bounded types for the arguments of scenarios."""

from __future__ import annotations

from typing import Annotated

from rally.task.scenario import Field

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
Milliseconds = Annotated[float, Field(gt=0)]
Rate = Annotated[float, Field(gt=0)]
Name = Annotated[str, Field(min_length=1)]
