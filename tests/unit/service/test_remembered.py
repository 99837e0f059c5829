from freebusy.service import remembered
from freebusy.service.remembered import Remembered
from tests.fakes.clock import FakeClock


def test_a_thing_is_known_for_a_while():
    clock = FakeClock()
    known = Remembered(seconds=60, clock=clock)
    known.add("a")
    assert ("a" in known, "b" in known) == (True, False)
    clock.advance(59)
    assert "a" in known
    clock.advance(1)
    assert "a" not in known


def test_where_there_are_too_many_the_oldest_is_forgotten(monkeypatch):
    monkeypatch.setattr(remembered, "MOST", 2)
    known = Remembered(seconds=60, clock=FakeClock())
    for thing in ("a", "b", "a", "c"):
        known.add(thing)
    assert [thing for thing in "abc" if thing in known] == ["a", "c"]
