"""Let all of Rally's requests to OpenStack follow the policy of retries.

Rally has no setting for it.  Without it, one 503 of Keystone ends a task in
Rally's validators, or in a context such as ``users``.  Rally imports this
module with the plugins, so from then on each session of keystoneauth gets the
transport of this package.
"""

from __future__ import annotations

import functools
from typing import Any

from keystoneauth1 import session as keystone_session

from rally_magnum_scale.bays import openstack_session

_init = keystone_session.Session.__init__


@functools.wraps(_init)
def _init_with_retries(
    session: keystone_session.Session, *given: Any, **named: Any
) -> None:
    _init(session, *given, **named)
    openstack_session.mount(session)


keystone_session.Session.__init__ = _init_with_retries
