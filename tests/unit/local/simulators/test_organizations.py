"""Organizations on the control surface, and how long what an administrator gives takes to work."""

import pytest

from local.simulators.organizations import Organization, Organizations
from local.simulators.people import People

ADMIN = "admin@example.com"


def test_an_organization_is_shown_as_it_was_put(provider):
    described = {
        "admin": ADMIN,
        "delegated": True,
        "users": ["ana@example.com", "ben@example.com"],
        "hidden": ["ben@example.com"],
        "suspended": ["cleo@example.com"],
        "rooms": [{"email": "oak@example.com", "name": "Oak"}],
        "propagation_ms": 5,
    }

    shown = provider.put_organization(**described)

    assert shown.items() >= {**described, "domain": "example.com"}.items()
    assert provider.get(f"{provider.organizations_path}/example.com").json() == shown


def test_google_delegates_free_busy_unless_told_otherwise(google):
    shown = google.put_organization(delegated=True)

    assert shown["scopes"] == ["https://www.googleapis.com/auth/calendar.freebusy"]
    assert shown["txt"] == []


def test_a_tenant_is_wide_open_unless_told_otherwise(microsoft):
    shown = microsoft.put_organization(delegated=True)

    assert (shown["narrowed_to"], shown["places"], shown["wids"]) == (None, False, True)


def test_whoever_is_named_is_somebody_from_then_on(provider):
    provider.put_organization(users=["ana@example.com"], suspended=["cleo@example.com"])

    people = {person["email"] for person in provider.get("/sim/users").json()}
    assert people == {ADMIN, "ana@example.com", "cleo@example.com"}


def test_people_who_exist_stay_as_they_are(provider):
    provider.put_person("ana@example.com", zone="Europe/Paris")

    provider.put_organization(users=["ana@example.com"])
    provider.delete(f"{provider.organizations_path}/example.com")

    assert provider.get("/sim/users/ana@example.com").json()["zone"] == "Europe/Paris"


def test_putting_replaces_what_was_said_before(provider):
    provider.put_organization(delegated=True, users=["ana@example.com"])

    provider.put_organization()

    shown = provider.get(f"{provider.organizations_path}/Example.com").json()
    assert (shown["delegated"], shown["users"]) == (False, [])


def test_an_organization_can_be_forgotten(provider):
    provider.put_organization()

    assert provider.delete(f"{provider.organizations_path}/example.com").status_code == 204
    assert provider.get(f"{provider.organizations_path}/example.com").status_code == 404


@pytest.mark.parametrize(
    ("domain", "changed", "said"),
    [
        pytest.param("example", {"admin": "admin@example"}, "domain", id="no domain"),
        pytest.param("example.com", {"admin": None}, "admin", id="no administrator"),
        pytest.param("example.com", {"admin": "admin@example.org"}, "not of example.com", id="a stranger in charge"),
        pytest.param("example.com", {"users": ["ana@mail.example.com"]}, "not of example.com", id="a stranger"),
        pytest.param("example.com", {"users": ["ana"]}, "users.0", id="no address"),
        pytest.param("example.com", {"rooms": [{"email": "oak@example.com"}]}, "rooms.0.name", id="a nameless room"),
        pytest.param("example.com", {"propagation_ms": -1}, "propagation_ms", id="a negative time"),
        pytest.param("example.com", {"delegate": True}, "delegate", id="a slip of the pen"),
    ],
)
def test_an_organization_that_makes_no_sense_is_refused_with_the_reason(provider, domain, changed, said):
    answer = provider.put(f"{provider.organizations_path}/{domain}", json={"admin": ADMIN, **changed})

    assert answer.status_code == 400
    assert said in answer.json()["error"]
    assert provider.get(f"{provider.organizations_path}/{domain}").status_code == 404
    assert provider.get("/sim/users").json() == []


def test_each_provider_has_its_own_name_for_organizations(google, microsoft):
    assert google.put("/sim/tenants/example.com", json={"admin": ADMIN}).status_code == 404
    assert microsoft.put("/sim/domains/example.com", json={"admin": ADMIN}).status_code == 404


def test_what_an_administrator_gives_takes_its_time():
    now = 1000.0
    organizations = Organizations(Organization, People(), called="domains", clock=lambda: now)
    organizations.put("example.com", {"admin": ADMIN, "delegated": True, "propagation_ms": 60_000})

    now += 59
    assert organizations.in_force("example.com") is None
    now += 1
    assert organizations.in_force("example.com") is organizations.get("example.com")
