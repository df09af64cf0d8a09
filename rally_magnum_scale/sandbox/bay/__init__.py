"""One bay of the sandbox: unmodified Kubernetes in namespaces of its own.

A bay is a folder.  Whoever wants one writes into it ``spec.json`` (see
:class:`~rally_magnum_scale.sandbox.bay.spec.BaySpec`), ``ca.crt`` and
``ca.key`` and runs ``python -m rally_magnum_scale.sandbox.bay create
FOLDER``; ``delete FOLDER`` takes all of it away again.  ``bay.log`` tells
each step with its seconds, ``status.json`` how it ended:

``status``
    ``CREATE_COMPLETE`` or ``CREATE_FAILED``
``reason``
    one sentence, empty when complete
``api_address``, ``node_addresses``
    where the API server is, and the real nodes
``seconds``
    step to seconds; steps overlap, ``total`` is the whole

Nothing of a bay is on the host but its folder, its control group and one
network link.  The namespaces of network and mounts have no name: they
live as long as a process in them, and every process is in the control
group.  So, whatever crashed, killing the group removes the bay.
"""

from rally_magnum_scale.sandbox.bay.creation import create
from rally_magnum_scale.sandbox.bay.deletion import delete

__all__ = ["create", "delete"]
