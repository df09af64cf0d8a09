"""Load Rally's plugins before the test modules are imported."""

from rally import plugins

plugins.load()
