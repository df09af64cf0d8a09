"""Load Rally's plugins before the test modules are imported.

rally-openstack's cleanup reads options that only the loading registers.
"""

from rally import plugins

plugins.load()
