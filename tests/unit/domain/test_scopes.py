import pytest

from freebusy.domain.scopes import BEYOND_FREE_BUSY, IMPLIED, Permission, grantable, permissions


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ("free_busy_write", "free_busy_write"),
        ("free_busy", "free_busy"),
        ("create_event read_free_busy read_account", "create_event read_free_busy read_account"),
        ("read_write free_busy_write", "free_busy_write"),
        ("free_busy_write free_busy_write", "free_busy_write"),
        (" free_busy   read_events ", "free_busy read_events"),
    ],
)
def test_what_is_supported_is_granted_in_the_order_asked(asked, granted):
    assert grantable(asked) == granted


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param("", id="nothing"),
        pytest.param(" \t\n", id="blanks"),
        pytest.param("free_busy_write nonsense", id="something unknown"),
        pytest.param("free_busy_write,read_account", id="commas"),
        pytest.param("read_account list_calendars read_events create_event delete_event", id="no free/busy"),
        pytest.param(" ".join(sorted(BEYOND_FREE_BUSY)), id="only what needs more than free/busy"),
    ],
)
def test_a_scope_that_connects_nothing_is_told_what_to_ask_for(asked):
    with pytest.raises(ValueError, match="ask for free_busy_write"):
        grantable(asked)


def test_no_scope_is_both_grantable_and_beyond():
    assert not BEYOND_FREE_BUSY & set(IMPLIED)


def test_free_busy_write_permits_everything_that_this_mode_has():
    assert permissions("free_busy_write") == set(Permission)


def test_scopes_add_up():
    assert permissions("read_free_busy read_account") == {Permission.READ_FREE_BUSY, Permission.READ_ACCOUNT}
    assert permissions("unknown") == frozenset()
