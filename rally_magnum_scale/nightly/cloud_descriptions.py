"""Read how a cloud is accessed from an openrc file or clouds.yaml.

openstacksdk reads both.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import pathlib
import subprocess
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from openstack import config as openstack_config
from openstack import exceptions as openstack_errors
from openstack.config import cloud_region

from rally_magnum_scale import commands
from rally_magnum_scale import exceptions

# openstacksdk turns the second name into the first.
ALIASES = {
    "auth_type": "auth_plugin",
    "interface": "endpoint_type",
    "project_id": "tenant_id",
    "project_name": "tenant_name",
}
_DOMAINS = {"project_domain_id": "domain_id", "user_domain_id": "domain_id"}
_BOOLEANS = dict.fromkeys(("1", "t", "true", "on", "y", "yes"), True)
_BOOLEANS |= dict.fromkeys(("0", "f", "false", "off", "n", "no"), False)

_OPENRC_DEADLINE_S = 30.0
# What an openrc file may use.  A variable of another cloud must not be there.
_LOGIN_VARIABLES = ("HOME", "LANG", "LOGNAME", "PATH", "SHELL", "USER")
# Rally gets these from the environment of the night, not from the file.
_CONNECTION_VARIABLES = (
    *(f"{one}_proxy" for one in ("all", "http", "https", "no")),
    *(f"{one}_PROXY" for one in ("ALL", "HTTP", "HTTPS", "NO")),
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
)


@dataclasses.dataclass(frozen=True)
class CloudDescription:
    """How a cloud is accessed.

    :param where: the setting of the nights and the place of the description,
        with which each message starts
    :param values: the settings as openstacksdk has read them, those of `auth`
        among the others
    :param written: the settings under the names that the user gave them
    """

    where: str
    values: Mapping[str, Any]
    written: Mapping[str, Any]
    prefix: str = ""
    profiler: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def key(self, name: str) -> str:
        """Return the name of a setting as the user wrote it."""
        for ours, alias in (ALIASES | _DOMAINS).items():
            other = name.replace(ours, alias)
            if name not in self.written and other in self.written:
                name = other
        return f"{self.prefix}{name}".upper() if self.prefix else name

    def text(self, name: str) -> str:
        value = self.values[name]
        if not isinstance(value, str):
            raise self.refused(name, "It is not a string. Put it in quotes.")
        return value

    def refused(self, name: str, why: str) -> exceptions.InvalidInput:
        return exceptions.InvalidInput(
            f"{self.where} has {self.key(name)}. {why}"
        )


def of_openrc(path: pathlib.Path, log: commands.Log) -> CloudDescription:
    """Read an openrc file.

    :raises InvalidInput: when a shell or openstacksdk can't read it
    """
    variables = read_openrc(path, log)
    profiler = {
        name.removeprefix("OS").lower(): value
        for name, value in variables.items()
        if name in ("OSPROFILER_CONN_STR", "OSPROFILER_HMAC_KEY")
    }
    found = of_variables(variables, f"cloud.openrc: {path}")
    return dataclasses.replace(found, profiler=profiler)


def of_variables(variables: Mapping[str, str], where: str) -> CloudDescription:
    """Read ``OS_`` variables.

    :raises InvalidInput: when openstacksdk can't read them
    """
    written: dict[str, Any] = {
        name.removeprefix("OS_").lower(): value
        for name, value in variables.items()
        if name.startswith("OS_") and value
    }
    if "cloud" in written:
        raise exceptions.InvalidInput(
            f"{where} has OS_CLOUD. Give the name of a cloud in clouds.yaml "
            "as `cloud.clouds_yaml` instead."
        )
    given = {f"os_{name}": value for name, value in written.items()}
    if "insecure" in written:
        given["os_insecure"] = _boolean(where, written["insecure"])
    # openstacksdk takes braces in what is not in `auth` for its own.
    auth = {
        name: given.pop(f"os_{name}")
        for name in ("username", "password")
        if name in written
    }
    with _reading(where):
        region = openstack_config.OpenStackConfig(
            load_yaml_config=False, load_envvars=False
        ).get_one(
            validate=False, argparse=argparse.Namespace(**given, auth=auth)
        )
    return CloudDescription(where, _flat(region), written, prefix="OS_")


def _boolean(where: str, value: str) -> bool:
    # openstacksdk takes all but "true" for false.
    try:
        return _BOOLEANS[value.lower()]
    except KeyError as error:
        raise exceptions.InvalidInput(
            f"{where} has OS_INSECURE. Give true or false, not {value}."
        ) from error


def of_clouds_yaml(name: str, region_name: str) -> CloudDescription:
    """Read a cloud of clouds.yaml.

    :param region_name: an empty string for the cloud's only region
    :raises InvalidInput: when there is no such cloud or region, or
        openstacksdk can't read it
    """
    where = f"cloud.clouds_yaml: {name}"
    with _reading(where):
        config = openstack_config.OpenStackConfig()
        written = _settings(config, name, where)
        regions = [one["name"] for one in config._get_known_regions(name)]
        if len(regions) > 1 and not region_name:
            raise exceptions.InvalidInput(
                f"{where} has the regions {', '.join(regions)}. Choose one "
                "with `cloud.region`."
            )
        region = config.get_one(name, validate=False, region_name=region_name)
    return CloudDescription(where, _flat(region), written)


def _settings(
    config: openstack_config.OpenStackConfig, name: str, where: str
) -> dict[str, Any]:
    """Return the settings of a cloud as they are in clouds.yaml."""
    clouds = config.cloud_config["clouds"]
    # A cloud of the night's own variables is not one of clouds.yaml.
    if name not in clouds or name == config.envvar_key:
        raise exceptions.InvalidInput(
            f"{where} is not a cloud in "
            f"{config.config_filename or 'any clouds.yaml'}. Correct the "
            "name, or set OS_CLIENT_CONFIG_FILE to the path of the file."
        )
    settings = clouds[name]
    if not isinstance(settings, dict) or not isinstance(
        settings.get("auth", {}), dict
    ):
        raise exceptions.InvalidInput(
            f"{where} has no settings or an empty `auth`. Give it "
            "`auth: {auth_url: …, username: …, password: …, project_name: …}`."
        )
    every = settings | settings.get("auth", {})
    return {key.replace("-", "_"): value for key, value in every.items()}


def _flat(region: cloud_region.CloudRegion) -> dict[str, Any]:
    every = {**region.config, **region.config["auth"]}
    return {k: v for k, v in every.items() if v not in (None, "")}


@contextlib.contextmanager
def _reading(where: str) -> Iterator[None]:
    """Turn the errors of openstacksdk into a sentence."""
    try:
        yield
    except openstack_errors.ConfigException as error:
        raise exceptions.InvalidInput(
            f"{where} can't be read by openstacksdk: "
            f"{' '.join(str(error).split())}"
        ) from error
    # openstacksdk checks no types, and formats values.
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        # Its message may have a part of a secret.
        raise exceptions.InvalidInput(
            f"{where} can't be read by openstacksdk: {type(error).__name__}. "
            "Correct the types of the values, and double each brace in them."
        ) from None


def read_openrc(path: pathlib.Path, log: commands.Log) -> dict[str, str]:
    """Return the variables of OpenStack and OSProfiler that a file sets.

    :raises InvalidInput: when the file fails, waits for a password, or sets
        a value that is not UTF-8
    """
    variables = _sourced(path)
    for name in _CONNECTION_VARIABLES:
        value = variables.get(name.encode(), b"")
        if value != os.environb.get(name.encode(), b""):
            log(
                f"cloud.openrc: {path} sets {name}, which is ignored. Set it "
                "in the environment of rally-magnum-nightly."
            )
    return {
        name.decode(errors="replace"): _decoded(path, name, value)
        for name, value in variables.items()
        if name.startswith((b"OS_", b"OSPROFILER_"))
    }


def parse_env(output: bytes) -> dict[bytes, bytes]:
    """Return the variables that ``env -0`` printed."""
    pairs = (line.partition(b"=") for line in output.split(b"\0"))
    return {name: value for name, _, value in pairs if name}


def _sourced(path: pathlib.Path) -> dict[bytes, bytes]:
    """Return the environment after a shell has sourced the file."""
    try:
        done = subprocess.run(
            ["sh", "-c", 'set -eu; . "$1" >/dev/null; env -0', "sh", path],
            capture_output=True,
            check=True,
            stdin=subprocess.DEVNULL,
            timeout=_OPENRC_DEADLINE_S,
            env=_environment_of_login(),
        )
    except (subprocess.SubprocessError, OSError) as error:
        # What the shell prints may have parts of a password.
        raise exceptions.InvalidInput(
            f"cloud.openrc: {path} can't be sourced by sh without user "
            f"input: {error}. Run `sh -eu {path} </dev/null` to see why."
        ) from error
    return parse_env(done.stdout)


def _environment_of_login() -> dict[str, str]:
    # A service of systemd may have no HOME.
    usual = {"HOME": str(pathlib.Path.home()), "PATH": os.defpath}
    return usual | {
        name: os.environ[name]
        for name in (*_LOGIN_VARIABLES, *_CONNECTION_VARIABLES)
        if name in os.environ
    }


def _decoded(path: pathlib.Path, name: bytes, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise exceptions.InvalidInput(
            f"cloud.openrc: {name.decode(errors='replace')} in {path} is not "
            "UTF-8 text. Write the file in UTF-8."
        ) from error
