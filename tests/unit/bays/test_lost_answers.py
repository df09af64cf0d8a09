"""Creates that Magnum carries out, but whose answer is lost."""

from rally_magnum_scale.bays import quotas
from rally_magnum_scale.bays import templates
from tests.unit.bays import fake_magnum


class Quotas(fake_magnum.FakeMagnum):
    """A Magnum that has made a quota before it answers 502."""

    def __init__(self):
        super().__init__()
        self.spoilt = [True]
        self.limit = None

    def _take_effect(self, body):
        self.limit = body["hard_limit"]

    def answer(self, method, path, body):
        if method == "PATCH":
            self.limit = body["hard_limit"]
        if method == "POST" and not self.spoilt:
            error = {"status": 409, "title": "Quota already exists"}
            return 409, {"errors": [error]}
        if method == "POST":
            return super().answer(method, path, body)
        return 200, {"hard_limit": self.limit or 20}


def test_a_quota_whose_answer_was_lost_is_set():
    magnum = Quotas()
    with fake_magnum.bays(magnum) as bays:
        assert quotas.BayQuotas(bays._magnum).set("p", 100) is None
    assert magnum.limit == 100


class Templates(fake_magnum.FakeMagnum):
    def _take_effect(self, body):
        self.templates.append(fake_magnum.template("t-2", body["name"]))


def test_a_template_whose_answer_was_lost_is_not_made_twice():
    magnum = Templates()
    magnum.spoilt = [True]
    with fake_magnum.bays(magnum) as bays:
        opened = templates.Templates(bays._magnum, bays._clock, bays._sleep)
        wanted = templates.TemplateRequest.from_json({"name": "small"})
        assert opened.create(wanted, "rms-1").uuid == "t-2"
    assert [method for method, _, _ in magnum.requests].count("POST") == 1
