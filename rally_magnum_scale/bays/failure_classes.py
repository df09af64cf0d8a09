"""Failure classes: what a service's words mean, why, and what helps.

:data:`CLASSES` is the only table of its kind.  Records store the name of a
class, messages end with its remedy, and a page of the reference is generated
from it.  The order matters: the first class whose pattern is found wins, so
what is specific stands before what is general.

The texts that the patterns are made for are in
``tests/unit/bays/failure_texts.toml``, each with its source.
"""

from __future__ import annotations

import dataclasses
import re

UNCLASSIFIED = "unclassified"


@dataclasses.dataclass(frozen=True)
class FailureClass:
    """A group of failures with the same cause and remedy.

    :param name: as records and exports name it
    :param pattern: regular expression that is searched for in the words of
        the service
    :param cause: what has happened, as a sentence without a full stop
    :param remedy: what to do, as a part of a sentence
    """

    name: str
    pattern: str
    cause: str
    remedy: str

    def matches(self, reason: str) -> bool:
        """Return whether a service's words belong to this class."""
        return re.search(self.pattern, reason) is not None


CLASSES = (
    # Heat's own limits.
    FailureClass(
        "heat_limit",
        r"Maximum resources per stack",
        "The stack of the bay has more resources than Heat allows",
        "raise max_resources_per_stack in heat.conf, or set it to -1",
    ),
    FailureClass(
        "heat_request_size",
        r"(JSON body|Template) size \(\d+ bytes\) exceeds",
        "Magnum's request to create the stack is larger than Heat accepts",
        "raise max_json_body_size or max_template_size in heat.conf",
    ),
    FailureClass(
        "heat_project_limit",
        r"maximum (stacks|software configs|software deployments) per tenant",
        "The project has as many stacks or software configs as Heat allows",
        "raise max_stacks_per_tenant, max_software_configs_per_tenant or "
        "max_software_deployments_per_tenant in heat.conf, or delete stacks",
    ),
    FailureClass(
        "heat_nesting",
        r"Recursion depth exceeds",
        "The stacks are nested deeper than Heat allows",
        "raise max_nested_stack_depth in heat.conf",
    ),
    # Databases, queues and files of the services.
    FailureClass(
        "database_pool",
        r"QueuePool limit",
        "A process of the service waited in vain for a free connection of "
        "its database pool",
        "raise max_pool_size or max_overflow of the service that reports it",
    ),
    FailureClass(
        "database_connections",
        r"Too many connections|too many clients already"
        r"|remaining connection slots are reserved",
        "The database server has no connection left",
        "raise max_connections of the database, or lower max_overflow of the "
        "services",
    ),
    FailureClass(
        "database_lost",
        r"Lost connection to MySQL|MySQL server has gone away"
        r"|Can't connect to MySQL server on|terminating connection due to"
        r"|server closed the connection unexpectedly",
        "The database refused or closed the connection of a service",
        "check the database server and the proxy in front of it",
    ),
    FailureClass(
        "database_deadlock",
        r"Deadlock found when|deadlock detected|Lock wait timeout exceeded",
        "Two transactions of a service blocked each other",
        "try again; if it returns, write to one database node only",
    ),
    FailureClass(
        "open_files",
        r"Too many open files|Could not fetch contents for file://",
        "A process of the service has as many open files as it may; Magnum "
        "then can't read its own templates",
        "raise LimitNOFILE of the service that reports it",
    ),
    FailureClass(
        "messaging",
        r"waiting for a reply to message|Unable to connect to AMQP server on",
        "A service got no reply through the message queue",
        "check the queue and the load of the replying service, and raise "
        "rpc_response_timeout",
    ),
    # Quotas, by the service that refuses.
    FailureClass(
        "bay_quota",
        r"maximum clusters per project",
        "The project has as many bays as Magnum allows",
        "raise Magnum's quota with the context bay_quotas, or delete bays",
    ),
    FailureClass(
        "volume_quota",
        r"Maximum number of volumes allowed|exceeds allowed gigabytes",
        "Cinder's quota of volumes or gigabytes is used up",
        "raise Cinder's quotas with the context quotas, or use templates "
        "without volumes",
    ),
    FailureClass(
        "load_balancer_quota",
        r"Quota has been met for resources",
        "Octavia's quota is used up",
        "raise Octavia's quota of load balancers, listeners, pools or members",
    ),
    FailureClass(
        "network_quota",
        r"Quota exceeded for resources: \[",
        "A quota of Neutron is used up",
        "raise Neutron's quotas with the context quotas",
    ),
    FailureClass(
        "resource_quota",
        r"exceeded quota: ",
        "A ResourceQuota of the namespace refuses the object",
        "raise the ResourceQuota of the namespace, or set smaller requests "
        "with pods",
    ),
    FailureClass(
        "compute_quota",
        r"Quota exceeded for |Quota exceeded, too many servers in group",
        "A quota of Nova is used up",
        "raise Nova's quotas with the context quotas, or create fewer nodes",
    ),
    # Capacity.
    FailureClass(
        "addresses",
        r"No more IP addresses available",
        "A subnet or address pool has no free address",
        "give the bay a larger subnet with fixed_subnet_cidr or subnet",
    ),
    FailureClass(
        "capacity",
        r"No valid host|Exhausted all hosts",
        "No hypervisor could take another server of the flavor",
        "free hypervisors, or choose a smaller flavor or fewer nodes",
    ),
    FailureClass(
        "network_port",
        r"Binding failed for port|Failed to allocate the network"
        r"|Virtual Interface creation failed",
        "Neutron did not connect a server to its network",
        "check the network agent of the hypervisor that is named",
    ),
    FailureClass(
        "volume_slow",
        r"did not finish being created even after we waited",
        "Cinder took longer to make a volume than Nova waits",
        "raise block_device_allocate_retries in nova.conf, or boot from "
        "local disks",
    ),
    # Rights.
    FailureClass(
        "trust",
        # Magnum writes Keystone's own words only into its log.
        r"Failed to create trustee or trust for Cluster",
        "Magnum could not create the trust of the bay in Keystone; Keystone "
        "refused, or did not answer",
        "read why in the log of Magnum's conductor: if Keystone did not "
        "answer, try again; if it refused, check [trust] in magnum.conf, and "
        "log in with a password instead of an application credential",
    ),
    FailureClass(
        "application_credential",
        r"Using method 'application_credential' is not allowed for managing "
        r"trusts",
        "Keystone creates no trust for a login with an application credential",
        "log in with a password",
    ),
    FailureClass(
        "authentication",
        r"The request you have made requires authentication"
        r"|\(HTTP 401\)|AuthorizationFailure: |ERROR: Authorization failed",
        "Keystone did not accept the token of a service or of the bay",
        "let tokens live longer than a create takes, and set "
        "reauthentication_auth_method = trusts in heat.conf",
    ),
    FailureClass(
        "pod_security",
        r"violates PodSecurity",
        "The Pod Security Standard of the namespace refuses the pods",
        "use a namespace that allows these pods",
    ),
    FailureClass(
        "permission",
        r"Policy doesn't allow \S+ to be performed"
        r"|is disallowed by policy"
        r"|[Yy]ou are not authorized to (perform|use|complete) "
        r"|^Not authorized( \(HTTP 403\)|\.|$)|Not authorized for image "
        r"|is forbidden: User \".*\" cannot ",
        "The user lacks a role that the request needs",
        "give the user the role that the policy of the service names",
    ),
    # What a template names.
    FailureClass(
        "missing_reference",
        r"Unable to find "
        r"(flavor|keypair|external network|fixed network|fixed subnet) "
        r"|Image \S+ could not be found|doesn't contain os_distro"
        r"|Flavor \S+ could not be found",
        "The template or the task names something that the cloud lacks",
        "correct the name in the template or the task",
    ),
    FailureClass(
        "discovery",
        r"Failed to get discovery url from|[Ii]nvalid discovery URL"
        r"|Failed to get the size of cluster from",
        "Magnum could not use the etcd discovery service",
        "give the label etcd_discovery_url's service access to the network, "
        "or use a local one with discovery_url",
    ),
    # Nodes.
    FailureClass(
        "node_script",
        r"Deployment to server failed|exited with non-zero status code",
        "A script on a node of the bay failed",
        "read heat-config's log on that node",
    ),
    FailureClass(
        "registry",
        r"toomanyrequests|pull rate limit|ErrImagePull|ImagePullBackOff"
        r"|failed to pull (and unpack )?image|manifest unknown"
        r"|pull access denied",
        "A node could not pull an image",
        "mirror the images and set image_prefix, or image_pull_secret_file",
    ),
    FailureClass(
        "unschedulable",
        r"\d+/\d+ nodes are available",
        "No node of the bay has room for a pod",
        "create more nodes, or set smaller requests with pods",
    ),
    FailureClass(
        "admission_webhook",
        r"admission webhook .* denied the request",
        "A policy of the bay forbids the object",
        "exempt the namespaces that have the label "
        "app.kubernetes.io/managed-by=rally-magnum-scale from the policy",
    ),
    # Cluster API.
    FailureClass(
        "management_cluster",
        r"Kubernetes cluster unreachable|connect: connection refused"
        r"|no route to host|failed calling webhook",
        "The management cluster of Cluster API does not answer",
        "check the management cluster and the kubeconfig of Magnum's "
        "conductor",
    ),
    FailureClass(
        "helm_locked",
        r"another operation \(install/upgrade/rollback\) is in progress",
        "An earlier Helm operation on the bay did not end",
        "wait for it, or run helm rollback on the management cluster",
    ),
    FailureClass(
        "timeout",
        r"(?<!--)\b[Tt]imed? ?out\b(?! \d+[smh])|deadline exceeded",
        "A service gave up waiting",
        "raise the timeout that the message names; for a create, deadlines "
        "with create_s",
    ),
)


def find(reason: str) -> FailureClass | None:
    """Return the class of a failure, or None when it is unknown.

    :param reason: the words of the service, without a sentence of ours around
        them
    """
    return next((each for each in CLASSES if each.matches(reason)), None)


def classify(reason: str) -> str:
    """Return the name of the class, or ``unclassified``."""
    found = find(reason)
    return found.name if found else UNCLASSIFIED


def advice(reason: str) -> str:
    """Return the remedy, to append to a message; empty when unknown."""
    found = find(reason)
    return f"; {found.remedy}" if found else ""
