"""Let all of Rally's requests to OpenStack follow the policy of retries.

Rally has no setting for it.  Without it, one 503 of Keystone ends a task in
Rally's validators, or in a context such as ``users``.  Rally imports this
module with the plugins.
"""

from rally_magnum_scale.bays import openstack_session

openstack_session.mount_on_all()
