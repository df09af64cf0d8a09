"""The count of requests that an nginx serves."""

import pytest

from rally_magnum_scale.workload import nginx


def test_the_request_count_is_read_from_stub_status():
    text = (
        "Active connections: 1 \nserver accepts handled requests\n"
        " 65 65 592456 \nReading: 0 Writing: 1 Waiting: 0 \n"
    )
    assert nginx.requests_counted(text) == 592456
    with pytest.raises(ValueError, match="404"):
        nginx.requests_counted("404 Not Found")
