"""Load Rally's plugins before the test modules are imported.

rally-openstack's cleanup reads options that only the loading registers.
"""

import pytest
from rally import plugins
from rally.common import cfg
from rally.common import db

plugins.load()


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """Give Rally a database of its own."""
    folder = tmp_path_factory.mktemp("database")
    address = f"sqlite:///{folder}/rally.sqlite"
    before = cfg.CONF.database.connection
    cfg.CONF.set_override("connection", address, "database")
    db.engine_reset()
    db.schema.schema_create()
    yield
    db.engine_reset()
    cfg.CONF.set_override("connection", before, "database")
