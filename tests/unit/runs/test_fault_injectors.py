import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.kube import nodes as node_list
from rally_magnum_scale.runs import fault_injectors


def test_the_server_of_a_node_comes_from_its_provider_id():
    done = []

    class Machines:
        def fail(self, machine, how):
            done.append((machine, how))

    servers = fault_injectors.NovaFaultInjector(Machines())
    with_id = node_list.Node(
        "n1", True, False, 4.0, machine="openstack://region/abc-1"
    )
    servers.fail(with_id, "stop")
    assert done == [("abc-1", "stop")]
    servers.check(with_id)
    for refused in (servers.check, lambda one: servers.fail(one, "stop")):
        with pytest.raises(exceptions.BayError, match="node n2 is unknown"):
            refused(node_list.Node("n2", True, False, 4.0))


@pytest.mark.parametrize(
    ("how", "comes_back"),
    [("stop", True), ("network", True), ("delete", False)],
)
def test_a_server_that_a_healing_driver_has_deleted_is_replaced(
    how, comes_back
):
    class Machines:
        def revert(self, machine, _how):
            raise exceptions.MachineGone(f"no server {machine}")

    injector = fault_injectors.NovaFaultInjector(Machines())
    node = node_list.Node("n1", True, False, 4.0, machine="openstack:///abc")
    assert injector.revert(node, how) is comes_back
