"""Contrast that axe cannot work out, since one thing lies over another: WCAG 2.2, 1.4.3 and 1.4.11."""

import re
from pathlib import Path

import pytest

import local.demo_site

STYLE = (Path(local.demo_site.__file__).parent / "static" / "style.css").read_text(encoding="utf-8")
TEXT, SHAPE = 4.5, 3.0

PAIRS = [
    pytest.param("ink", "paper", TEXT, id="text"),
    pytest.param("ink", "ground", TEXT, id="text on the ground"),
    pytest.param("soft", "paper", TEXT, id="soft text"),
    pytest.param("soft", "ground", TEXT, id="soft text on the ground"),
    pytest.param("act", "paper", TEXT, id="links"),
    pytest.param("on-act", "act", TEXT, id="the button that matters"),
    pytest.param("on-act", "act-hover", TEXT, id="the same under the pointer"),
    pytest.param("bad", "bad-paper", TEXT, id="bad news"),
    pytest.param("bad", "paper", TEXT, id="trouble with a person"),
    pytest.param("good", "paper", TEXT, id="good news"),
    pytest.param("free-ink", "free", TEXT, id="times of shared time"),
    pytest.param("paper", "free-edge", TEXT, id="the time that is pointed at"),
    pytest.param("ink", "meet-paper", TEXT, id="titles of meetings"),
    pytest.param("edge", "paper", SHAPE, id="edges of fields"),
    pytest.param("busy", "paper", SHAPE, id="busy time"),
    pytest.param("free-edge", "paper", SHAPE, id="shared time"),
    pytest.param("meet", "paper", SHAPE, id="meetings, and the focus"),
    pytest.param("meet", "ground", SHAPE, id="the focus on the ground"),
]


def palette(scheme):
    light, dark = STYLE.split("@media (prefers-color-scheme: dark)")
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})\b", light))
    if scheme == "dark":
        found |= re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})\b", dark.partition("* {")[0])
    return found


def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    channels = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("one", "other", "least"), PAIRS)
def test_colours_that_meet_can_be_told_apart(scheme, one, other, least):
    colours = palette(scheme)
    dark, light = sorted((luminance(colours[one]), luminance(colours[other])))
    assert (light + 0.05) / (dark + 0.05) >= least


def test_both_schemes_have_every_colour():
    dark = STYLE.split("@media (prefers-color-scheme: dark)")[1].partition("* {")[0]
    assert set(re.findall(r"--([\w-]+): #", dark)) == palette("light").keys()
