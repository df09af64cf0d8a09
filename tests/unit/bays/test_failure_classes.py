"""Failure classes of the texts that services really write."""

import pathlib
import re
import tomllib

import pytest

from rally_magnum_scale.bays import failure_classes

TEXTS = tomllib.loads(
    pathlib.Path(__file__).with_name("failure_texts.toml").read_text()
)["text"]
NAMES = [each.name for each in failure_classes.CLASSES]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text["words"][:50])
def test_a_text_of_a_service_has_its_class(text):
    assert failure_classes.classify(text["words"]) == text["class"]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text["words"][:50])
def test_the_remedy_in_a_message_does_not_change_its_class(text):
    words = text["words"]
    with_advice = words + failure_classes.advice(words)
    assert failure_classes.classify(with_advice) == text["class"]


def test_every_class_has_a_text_with_a_source():
    assert {text["class"] for text in TEXTS} == {
        *NAMES,
        failure_classes.UNCLASSIFIED,
    }
    assert all(text["source"] for text in TEXTS)


def alternatives(pattern):
    """Split a regular expression at each ``|`` outside of brackets."""
    parts, depth = [""], 0
    for token in re.findall(r"\\.|.", pattern):
        depth += {"(": 1, ")": -1}.get(token, 0)
        if token == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += token
    return parts


def test_a_pattern_is_split_outside_of_brackets():
    assert alternatives(r"a(b|c)|\(d|e") == ["a(b|c)", r"\(d", "e"]


@pytest.mark.parametrize("each", failure_classes.CLASSES, ids=NAMES)
def test_every_part_of_a_pattern_is_made_for_a_text(each):
    words = [text["words"] for text in TEXTS if text["class"] == each.name]
    unused = [
        part
        for part in alternatives(each.pattern)
        if not any(re.search(part, text) for text in words)
    ]
    assert unused == []


def test_no_name_stands_twice():
    assert len(NAMES) == len(set(NAMES))


def test_an_unknown_failure_has_no_remedy():
    assert failure_classes.advice("a new sentence") == ""
    assert failure_classes.find("a new sentence") is None
