"""The picture of the architecture shows what is deployed."""

import xml.etree.ElementTree as ET

import pytest

from tests.template.deployment import LOGICAL_ID
from tests.template.diagram import FILE, drawn, uses


def test_the_picture_in_the_docs_is_drawn_from_this_template():
    assert FILE.read_text(encoding="utf-8") == drawn(), "draw it again: make diagram"


def test_the_picture_names_every_function():
    texts = {element.text for element in ET.fromstring(drawn()).iter("{http://www.w3.org/2000/svg}text")}  # noqa: S314 - our own
    assert set(LOGICAL_ID) <= texts


@pytest.mark.parametrize(
    ("function", "parts"),
    [
        ("docs", {}),
        ("preflight", {"Table": False}),
        ("authorize", {"Secrets": False, "Table": True}),
        ("on_event_changed", {"Table": True, "Queues": True}),
        ("on_mail_received", {"Table": True, "Mail in (S3)": False}),
    ],
)
def test_a_dot_says_what_a_function_may_use_and_whether_it_changes_it(function, parts):
    assert uses(function) == parts
