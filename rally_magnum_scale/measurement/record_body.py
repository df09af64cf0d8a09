"""What the bodies of all records have in common."""

from __future__ import annotations

import dataclasses
from typing import Any
from typing import Self


class Body:
    """Conversion between a dataclass and the body of its record."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them."""
        return dataclasses.asdict(self)  # type: ignore[call-overload,no-any-return]

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self:
        """Read a record; fields that this version does not know are left.

        :raises ValueError: when a field is missing
        """
        fields = dataclasses.fields(cls)  # type: ignore[arg-type]
        known = {f.name: record[f.name] for f in fields if f.name in record}
        try:
            return cls(**known)
        except TypeError as error:
            raise ValueError(
                f"The record {record.get('record')!r} can't be read: {error}."
            ) from error
