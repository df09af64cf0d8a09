"""A program that has imported Locust, and forks a Locust for each order.

The imports take a second, for the most part of the processor's time, and a
test starts up to three.  The tests can't fork themselves instead: Locust
patches a whole process for gevent.

Its standard input is the socket of its orders.  With each come three
descriptors: what becomes standard output and standard error, and a socket
on which it tells the process's id, and in the end how it ended.
"""

import json
import os
import select
import signal
import socket
import sys

ORDER_BYTES = 1 << 20
DESCRIPTORS = 3

# As they are before gevent patches them: no event loop runs here that could
# do what its own leave for later.
orders = socket.socket(fileno=0)
poller = select.poll()
wait_for_pid = os.waitpid
close = os.close
Socket = socket.socket
children = {}


def send(connection, number):
    connection.sendall(b"%d\n" % number)


def take_end(pidfd):
    """Tell how a child has ended."""
    pid, connection = children.pop(pidfd)
    poller.unregister(pidfd)
    close(pidfd)
    _, status = wait_for_pid(pid, 0)
    with connection:
        send(connection, os.waitstatus_to_exitcode(status))


def take_order():
    """Fork a child; return its order in that child, None in this process."""
    data, descriptors, _, _ = socket.recv_fds(orders, ORDER_BYTES, DESCRIPTORS)
    if not data:
        # Whoever gave the orders is gone.
        for pid, _ in children.values():
            os.kill(pid, signal.SIGKILL)
        sys.exit()
    # gevent begins anew in the child, as in a pod of several processes.
    pid = fork_gevent()
    if pid == 0:
        return json.loads(data), descriptors
    out, err, connection = descriptors
    close(out)
    close(err)
    pidfd = os.pidfd_open(pid)
    children[pidfd] = pid, Socket(fileno=connection)
    poller.register(pidfd, select.POLLIN)
    send(children[pidfd][1], pid)
    return None


def become(order, descriptors):
    """Make of a child what a new process would be."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for pidfd, (_, connection) in children.items():
        close(pidfd)
        connection.close()
    out, err, _ = descriptors
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, one in enumerate((nothing, out, err)):
        os.dup2(one, number)
    orders.detach()
    for one in (nothing, *descriptors):
        close(one)
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["folder"])
    sys.argv = ["-c", *order["arguments"]]
    # What one load has compiled, the next one reads.
    sys.dont_write_bytecode = False
    exec(order["before"], {})


# What a program of "-c" has, and a child must have.
sys.path[0] = ""
signal.signal(signal.SIGINT, signal.SIG_IGN)

from gevent.os import fork_gevent  # noqa: E402
from locust.main import main  # noqa: E402

poller.register(orders, select.POLLIN)
given = None
while given is None:
    for fd, _ in poller.poll():
        if fd in children:
            take_end(fd)
        elif given := take_order():
            break
become(*given)
sys.exit(main())
