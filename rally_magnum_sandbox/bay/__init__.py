"""One bay of the sandbox: unmodified Kubernetes in namespaces of its own.

A bay is a folder.  Whoever wants one writes into it ``spec.json`` (see
:class:`~rally_magnum_sandbox.bay.spec.BaySpec`), ``ca.crt`` and
``ca.key`` and runs ``python -m rally_magnum_sandbox.bay create
FOLDER``.  ``resize FOLDER`` brings it to the size that ``wish.json`` asks
for (see :class:`~rally_magnum_sandbox.bay.plan.Wish`), ``repair
FOLDER`` starts again what of it has died, ``machines FOLDER`` cuts off,
stops, starts and deletes the machines of its real nodes as
``machines.json`` asks for, and ``delete FOLDER`` takes all of it away
again.

``bay.log`` tells each step with its seconds, ``nodes.json`` which nodes
there are, ``processes/`` what was started and how.  ``status.json`` says
how the create ended, ``update.json`` how the last resize did:

``status``
    ``CREATE_COMPLETE`` or ``CREATE_FAILED``; ``UPDATE_…`` of a resize
``reason``
    one sentence, empty when complete
``api_address``, ``node_addresses``
    where the API server is, and the real nodes
``node_count``
    how many nodes there are now (of a resize)
``wish``
    which wish it was (of a resize)
``seconds``
    step to seconds; steps overlap, ``total`` is the whole

Nothing of a bay is on the host but its folder, its control group and one
network link.  The namespaces of network and mounts have no name: they
live as long as a process in them, and every process is in the control
group.  So, whatever crashed, killing the group removes the bay.
"""
