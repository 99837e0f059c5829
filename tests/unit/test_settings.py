import pytest

from freebusy.settings import Settings


@pytest.mark.parametrize(
    ("value", "allowed"), [("true", True), ("false", False), ("", False), ("1", False), (None, False)]
)
def test_callbacks_stay_outside_unless_the_environment_says_otherwise(value, allowed):
    environment = {"TABLE_NAME": "table", **({} if value is None else {"CALLBACKS_MAY_BE_LOCAL": value})}
    assert Settings(environment).callbacks_may_be_local is allowed
