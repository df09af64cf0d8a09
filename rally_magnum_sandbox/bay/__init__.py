"""One bay of the sandbox: unmodified Kubernetes in its own namespaces.

A bay is a folder. To create a bay, write ``spec.json`` (see
:class:`~rally_magnum_sandbox.bay.spec.BaySpec`), ``ca.crt`` and ``ca.key``
into the folder and run ``python -m rally_magnum_sandbox.bay create FOLDER``.
The other commands are:

``resize FOLDER``
    change the bay to the size in ``wish.json`` (see
    :class:`~rally_magnum_sandbox.bay.plan.DesiredSize`)
``repair FOLDER``
    restart dead components
``machines FOLDER``
    cut off, stop, start and delete the machines of real nodes as
    ``machines.json`` requests
``delete FOLDER``
    remove the whole bay

``bay.log`` lists each step with its seconds, ``nodes.json`` the existing
nodes, and ``processes/`` the started processes and their commands.
``status.json`` contains the result of the create, and ``update.json`` the
result of the last resize:

``status``
    ``CREATE_COMPLETE`` or ``CREATE_FAILED``; ``UPDATE_…`` for a resize
``reason``
    one sentence; empty if complete
``api_address``, ``node_addresses``
    the addresses of the API server and of the real nodes
``node_count``
    the current number of nodes (only for a resize)
``wish``
    the number of the desired size (only for a resize)
``seconds``
    maps each step to its seconds; steps overlap, ``total`` is the whole

On the host, a bay has only its folder, its control group and one network
link. The network and mount namespaces have no name: they exist as long as a
process runs in them, and every process is in the control group. So killing
the group removes the bay, even after a crash.
"""
