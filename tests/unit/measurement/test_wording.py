import pytest

from rally_magnum_scale.measurement import wording


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ("", ""),
        ("b", "b"),
        ("cab", "a, b, c"),
        ("dcab", "a, b, c and 1 more"),
        ("edcab", "a, b, c and 2 more"),
    ],
)
def test_three_texts_are_named_and_the_others_counted(texts, told):
    assert wording.few(texts) == told
