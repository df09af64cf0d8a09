"""Every error that this package raises on purpose.

.. code-block:: text

    ScaleError
    ├── InvalidInput        a key of the task that can't be right
    ├── MissingExtra        a library that comes with an extra of the package
    ├── Interrupted         Ctrl-C or SIGTERM: the iteration removes and ends
    ├── DeadlineExceeded    a wait took longer than its deadline
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
    ├── KubernetesError     the bay's Kubernetes API refused or broke off
    ├── NightRuns           another nightly run has the folder
    ├── WorkloadError       the load could not be started, run or read
    └── CommandFailed       a program that was started failed

A message is one sentence: what was tried, on what, what came back and
what to do next.
"""


class ScaleError(Exception):
    """Base of all errors of this package."""


class InvalidInput(ScaleError):
    """A value of the task can't be right; the message names its key."""


class MissingExtra(ScaleError):
    """A library is missing; the message names the extra that brings it."""


class NightRuns(ScaleError):
    """Another nightly run is going on in the same folder."""


class Interrupted(ScaleError):
    """The run was asked to stop; what it made is removed on the way out."""


class DeadlineExceeded(ScaleError):
    """A wait reached its deadline.

    :param what: what was waited for, in words
    :param deadline_s: the deadline in seconds
    :param progress: how far it had come, in words, or an empty string
    """

    def __init__(
        self, what: str, deadline_s: float, progress: str = ""
    ) -> None:
        self.what = what
        self.deadline_s = deadline_s
        self.progress = progress
        come_to = progress.rstrip(".")
        reached = f"; it had come to: {come_to}" if come_to else ""
        super().__init__(
            f"Gave up waiting for {what} after {deadline_s:.0f} s{reached}."
        )


class BayError(ScaleError):
    """Magnum refused, failed or lost a bay."""


class BayCreateFailed(BayError):
    """A bay ended in CREATE_FAILED; the message has Magnum's reason."""


class BayDeleteFailed(BayError):
    """A bay ended in DELETE_FAILED; the message has Magnum's reason."""


class BayResizeFailed(BayError):
    """A bay did not come to the size, or to the nodes, asked for."""


class WrongNodes(BayResizeFailed):
    """Other nodes came or went than those asked for; it names them."""


class BayNotFound(BayError):
    """No bay, or more than one, has the name or id that was given."""


class GivenUp(BayError):
    """A bay was not waited for, since another one of its context failed."""


class TemplateCreateFailed(BayError):
    """Magnum refused a cluster template; the message names its key."""


class NotAllowed(BayError):
    """Magnum's policy does not let this user look; it names the rules."""


class TemplateNotFound(BayError):
    """No cluster template, or more than one, fits what was asked for."""


class MachineError(ScaleError):
    """Nova or Neutron did not do to a node's server what was asked."""


class MachineGone(MachineError):
    """The server of a node is no more, or not this project's."""


class KubernetesError(ScaleError):
    """The Kubernetes API of a bay refused a request or broke off."""


class WorkloadError(ScaleError):
    """The load in the bay could not be started, run or read."""


class CommandFailed(ScaleError):
    """A program that was started failed; the message has its last line."""
