import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.runs import bay_life
from tests.unit.bays import fake_magnum

REQUEST = lifecycle.BayRequest(name="rms-1", nodes=2)


def life_of(bays, said):
    ticks = iter(range(1000))
    return bay_life.BayLife(
        bays, REQUEST, said.append, clock=lambda: float(next(ticks))
    )


def test_a_bay_that_comes_and_goes_is_timed():
    said: list[str] = []
    magnum = fake_magnum.FakeMagnum(
        "CREATE_IN_PROGRESS", "CREATE_COMPLETE", 404
    )
    with fake_magnum.bays(magnum) as bays:
        life = life_of(bays, said)
        life.create()
        life.delete()
    assert life.record.uuid == "c-1"
    assert life.record.create_s == 1.0
    assert life.record.delete_s == 1.0
    assert life.record.status == "GONE"
    assert life.record.failure == ""
    assert "bay complete after 1.0 s" in said


def test_a_failed_create_is_kept_with_its_class_when_the_bay_is_gone():
    failed = {
        "status": "CREATE_FAILED",
        "status_reason": "Maximum resources per stack exceeded",
    }
    magnum = fake_magnum.FakeMagnum("CREATE_IN_PROGRESS", failed, 404)
    with fake_magnum.bays(magnum) as bays:
        life = life_of(bays, [])
        with pytest.raises(exceptions.BayCreateFailed):
            life.create()
        life.delete()
    assert life.record.create_s is None
    assert life.record.failure == "heat_limit"
    assert "Maximum resources" in life.record.reason
    assert life.record.delete_s is not None


def test_a_refused_bay_needs_no_delete():
    magnum = fake_magnum.FakeMagnum("CREATE_IN_PROGRESS")
    magnum.refuse = (403, "quota exceeded")
    with fake_magnum.bays(magnum) as bays:
        life = life_of(bays, [])
        with pytest.raises(exceptions.BayCreateFailed):
            life.create()
        life.delete()
    assert "DELETE" not in [request[0] for request in magnum.requests]
    assert life.record.failure == "capacity"
