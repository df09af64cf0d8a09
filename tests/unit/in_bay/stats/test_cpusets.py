import pytest

from rally_magnum_scale.in_bay.stats import cpusets


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("0", {0}),
        ("0-3", {0, 1, 2, 3}),
        ("0-1,4,6-7", {0, 1, 4, 6, 7}),
        ("", set()),
    ],
)
def test_lists_of_the_kernel_are_read_and_written(text, cpus):
    assert cpusets.parse(f"{text}\n") == cpus
    assert cpusets.write(cpus) == text


@pytest.mark.parametrize("text", ["all", "0-", "1-b", "-"])
def test_what_is_no_list_is_refused(text):
    with pytest.raises(ValueError):
        assert cpusets.parse(text) is None


def test_names_with_one_set_are_told_together():
    seen = {"b": frozenset({0, 1}), "a": frozenset({0, 1}), "c": frozenset()}
    told = cpusets.by_set(seen)
    assert told == {"0-1": ["a", "b"], "": ["c"]}
    assert cpusets.by_name(told) == seen
