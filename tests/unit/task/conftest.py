"""Load Rally's plugins before the test modules are imported.

rally-openstack's cleanup reads options that only the loading registers.
"""

import contextlib

import pytest
from rally import plugins
from rally.common import cfg
from rally.common import db

plugins.load()


@contextlib.contextmanager
def database_in(folder, name="rally.sqlite"):
    """Let Rally have a new database in a folder meanwhile."""
    address = f"sqlite:///{folder}/{name}"
    before = cfg.CONF.database.connection
    cfg.CONF.set_override("connection", address, "database")
    db.engine_reset()
    db.schema.schema_create()
    try:
        yield
    finally:
        db.engine_reset()
        cfg.CONF.set_override("connection", before, "database")


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """Give Rally a database of its own."""
    with database_in(tmp_path_factory.mktemp("database")):
        yield
