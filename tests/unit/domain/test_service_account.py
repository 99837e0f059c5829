import pytest

from freebusy.domain.service_account import MANAGE_ACCOUNTS, MANAGE_RESOURCES, grantable_to_service_account

UNRESTRICTED = "service_account/accounts/unrestricted_access service_account/resources/unrestricted_access"


class TestScopes:
    @pytest.mark.parametrize(
        ("asked", "granted"),
        [
            (MANAGE_ACCOUNTS, MANAGE_ACCOUNTS),
            (f"{MANAGE_RESOURCES} {MANAGE_ACCOUNTS}", f"{MANAGE_RESOURCES} {MANAGE_ACCOUNTS}"),
            (f"{MANAGE_ACCOUNTS} {MANAGE_ACCOUNTS}", MANAGE_ACCOUNTS),
            (f"  {MANAGE_ACCOUNTS}  {UNRESTRICTED}", MANAGE_ACCOUNTS),
        ],
    )
    def test_what_would_need_more_than_free_busy_is_left_out(self, asked, granted):
        assert grantable_to_service_account(asked) == granted

    @pytest.mark.parametrize(
        "asked",
        [
            pytest.param("", id="nothing"),
            pytest.param(MANAGE_RESOURCES, id="no accounts to manage"),
            pytest.param(UNRESTRICTED, id="only beyond free/busy"),
            pytest.param("free_busy_write", id="a person's scope"),
            pytest.param(f"{MANAGE_ACCOUNTS} free_busy_write", id="and a person's scope"),
            pytest.param(f"{MANAGE_ACCOUNTS} nonsense", id="and nonsense"),
            pytest.param(MANAGE_ACCOUNTS.upper(), id="scopes are case-sensitive"),
        ],
    )
    def test_anything_else_is_refused_with_what_to_ask_for(self, asked):
        with pytest.raises(ValueError, match=MANAGE_ACCOUNTS):
            grantable_to_service_account(asked)
