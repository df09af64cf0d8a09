"""Name format of the OpenStack resources that this package creates."""

from __future__ import annotations

# A bay's name becomes part of host names, so it must be lower case and
# DNS-safe.  Rally's cleanup finds leftovers by this format.
FORMAT = "rms-XXXXXXXX-XXXXXXXX"
CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


class NamedContext:
    """Mixin for contexts: names resources in the same way as scenarios."""

    RESOURCE_NAME_FORMAT = FORMAT
    RESOURCE_NAME_ALLOWED_CHARACTERS = CHARACTERS

    @classmethod
    def _get_resource_name_format(cls) -> str:
        # Rally's own method lets a configuration option replace the format.
        return cls.RESOURCE_NAME_FORMAT
