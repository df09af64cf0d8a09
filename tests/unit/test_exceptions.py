"""No error of ours repeats a password of a URL."""

import urllib.parse

import hypothesis
import pytest
from hypothesis import strategies as st
from keystoneauth1 import exceptions as keystone_errors
from keystoneauth1 import session
from keystoneauth1.identity import v3

from rally_magnum_scale import exceptions

# Longer than what could be in the rest of the sentence.
PASSWORDS = st.text(
    st.characters(codec="ascii", exclude_categories=["C"]),
    min_size=9,
    max_size=30,
)


def message_of(auth_url, proxy=None):
    """What keystoneauth says of a cloud that it can't reach."""
    login = v3.Password(auth_url, username="me", password="not in the URL")
    session_of = session.Session(login)
    session_of.session.trust_env = False
    session_of.session.proxies = {"http": proxy}
    with pytest.raises(keystone_errors.ClientException) as caught:
        session_of.get_token()
    return str(caught.value)


@hypothesis.given(PASSWORDS)
@hypothesis.settings(max_examples=50)
def test_a_password_in_the_address_of_keystone_is_masked(password):
    quoted = urllib.parse.quote(password, safe="")
    message = message_of(f"http://me:{quoted}@127.0.0.1:1/v3")
    assert quoted in message
    error = exceptions.BayError(f"It refused: {message}.", reason=message)
    for text in (str(error), error.reason):
        assert "Unable to establish connection to http://***127.0" in text
        assert quoted not in text


@hypothesis.given(PASSWORDS)
@hypothesis.settings(max_examples=50)
def test_a_password_in_the_address_of_a_proxy_is_masked(password):
    try:
        message = message_of(
            "http://127.0.0.1:1/v3", f"http://me:{password}@127.0.0.1:1"
        )
    except (TypeError, ValueError) as error:
        # What the standard library raises for some addresses.
        message = str(error)
    assert password not in str(exceptions.BayError(message))


def test_a_sentence_without_a_password_is_unchanged():
    message = "Magnum refused: https://cloud:9511/v1/clusters?a=b@c (HTTP 409)"
    assert str(exceptions.BayError(message)) == message
