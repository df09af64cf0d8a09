"""The errors that this package raises.

.. code-block:: text

    ScaleError
    ├── InvalidInput        a value in the task is invalid
    ├── MissingExtra        a library of an optional extra is not installed
    ├── Interrupted         Ctrl-C or SIGTERM: the iteration cleans up, ends
    ├── DeadlineExceeded    a wait exceeded its deadline
    ├── BayError            Magnum refused, failed or lost a bay
    │   ├── BayCreateFailed
    │   ├── BayDeleteFailed
    │   ├── BayResizeFailed
    │   │   └── WrongNodes
    │   ├── BayNotFound
    │   ├── GivenUp         another bay of the same context failed
    │   ├── TemplateCreateFailed
    │   └── TemplateNotFound
    ├── MachineError        Nova or Neutron refused, or has no such server
    ├── KubernetesError     a request to the bay's Kubernetes API failed
    ├── NightRuns           another nightly run uses the folder
    ├── WorkloadError       the load could not be started, run or read
    └── CommandFailed       an external program failed

A message is one sentence: what was tried, on what, what came back and
what to do next.
"""

import re

# Where the libraries repeat the user name and password of a URL.
_LOGIN = re.compile(
    r"(?<=://)[^/\s]*@|(?<=Failed to parse: ).*?(?= is not a valid|$)"
)


class ScaleError(Exception):
    """Base class of all errors of this package.

    :param message: the sentence that the user reads; the user name and the
        password of a URL are masked
    :param reason: the words of the service that failed, without a sentence
        of ours around them; empty when no service said anything
    """

    def __init__(self, message: str = "", reason: str = "") -> None:
        super().__init__(masked(message))
        self.reason = masked(reason)


def masked(text: str) -> str:
    """Mask the user names and passwords of all URLs in a text."""
    return _LOGIN.sub("***", text)


class InvalidInput(ScaleError):
    """A value in the task is invalid; the message names its key."""


class MissingExtra(ScaleError):
    """A library is missing; the message names the extra to install."""


class NightRuns(ScaleError):
    """Another nightly run is in progress in the same folder."""


class Interrupted(ScaleError):
    """The run was interrupted; the iteration removes what it created."""


class DeadlineExceeded(ScaleError):
    """A wait exceeded its deadline.

    :param what: what was waited for, in words
    :param deadline_s: the deadline in seconds
    :param progress: the last progress, in words, or an empty string
    """

    def __init__(
        self, what: str, deadline_s: float, progress: str = ""
    ) -> None:
        self.what = what
        self.deadline_s = deadline_s
        self.progress = progress
        last = progress.rstrip(".")
        progressed = f"; last progress: {last}" if last else ""
        super().__init__(
            f"Gave up waiting for {what} after {deadline_s:.0f} s{progressed}."
        )


class BayError(ScaleError):
    """Magnum refused, failed or lost a bay."""


class BayCreateFailed(BayError):
    """A bay ended in CREATE_FAILED; the message has Magnum's reason."""


class BayDeleteFailed(BayError):
    """A bay ended in DELETE_FAILED; the message has Magnum's reason."""


class BayResizeFailed(BayError):
    """A bay did not reach the requested size or set of nodes."""


class WrongNodes(BayResizeFailed):
    """The wrong nodes were added or removed; the message names them."""


class BayNotFound(BayError):
    """No bay, or more than one, has the given name or id."""


class GivenUp(BayError):
    """The wait for a bay ended because another bay of its context failed."""


class TemplateCreateFailed(BayError):
    """Magnum refused a cluster template; the message names its key."""


class NotAllowed(BayError):
    """Magnum's policy forbids the request; the message names the rules."""


class TemplateNotFound(BayError):
    """No cluster template, or more than one, matches the request."""


class MachineError(ScaleError):
    """A request to Nova or Neutron about a node's server failed."""


class MachineGone(MachineError):
    """A node's server does not exist or belongs to another project."""


class KubernetesError(ScaleError):
    """The Kubernetes API of a bay refused or broke off a request."""


class WorkloadError(ScaleError):
    """The load in the bay could not be started, run or read."""


class CommandFailed(ScaleError):
    """An external program failed; the message has its last line."""
