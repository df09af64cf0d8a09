"""How Rally names what this package makes in OpenStack."""

from __future__ import annotations

# A bay's name becomes host names: lower case and DNS-safe.  Rally's cleanup
# finds what a task left by this very form.
FORMAT = "rms-XXXXXXXX-XXXXXXXX"
CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


class NamedContext:
    """Mixed into a context, names what it makes as the scenarios do."""

    RESOURCE_NAME_FORMAT = FORMAT
    RESOURCE_NAME_ALLOWED_CHARACTERS = CHARACTERS

    @classmethod
    def _get_resource_name_format(cls) -> str:
        # Rally's own lets an option replace the form.
        return cls.RESOURCE_NAME_FORMAT
