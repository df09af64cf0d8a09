"""The report of the mutation tests."""

import pytest

from tests import mutation


def mutant(number, *, killed):
    return mutation.Mutant(
        "rally_magnum_scale/x.py", number, f"old {number}", "new", killed
    )


@pytest.fixture
def explained(tmp_path, monkeypatch):
    path = tmp_path / "survivors.toml"
    path.write_text(
        '[[survivor]]\nmodule = "rally_magnum_scale/x.py"\n'
        'before = "old 0"\nafter = "new"\nwhy = "It is the same."\n'
    )
    monkeypatch.setattr(mutation, "EXPLAINED", path)


@pytest.mark.usefixtures("explained")
@pytest.mark.parametrize(
    ("survivors", "good"), [((), True), ((0,), True), ((0, 1), False)]
)
def test_each_survivor_needs_an_explanation(survivors, good):
    found = [mutant(each, killed=each not in survivors) for each in range(100)]
    text, is_good = mutation.report(found)
    assert is_good is good
    assert ("- old 1\n" in text) is (1 in survivors)


@pytest.mark.usefixtures("explained")
def test_too_few_kills_fail_whatever_is_explained():
    assert mutation.report([mutant(0, killed=False)] * 19)[1] is False


@pytest.mark.usefixtures("explained")
def test_a_run_without_mutants_fails():
    assert mutation.report([])[1] is False


def test_only_operators_that_say_something_are_used():
    names = {
        each.operator for each in mutation.mutations(mutation.Path(__file__))
    }
    assert "core/NumberReplacer" in names
    assert not any("BitOr" in name for name in names)
