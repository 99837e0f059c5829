"""Through whom people connect, and how they move off Cronofy."""

from __future__ import annotations

import pytest

from freebusy.domain.account import Upstream

pytestmark = pytest.mark.emulator


class TestUpstream:
    @pytest.fixture
    def person(self, deployment, created) -> str:
        """The sub of somebody who connected to the application by way of Cronofy."""
        return deployment.connected(created["client_id"], upstream=Upstream.CRONOFY)

    def is_moving(self, deployment, sub) -> bool:
        account = deployment.accounts.find(sub)
        assert account
        return account.free_busy_profiles[0].moving

    def test_an_application_has_the_deployments_upstream_until_it_has_one_of_its_own(self, freebusy, created):
        assert created["upstream"] == "default"
        for upstream in ("cronofy", "direct", "default"):
            assert freebusy("applications", "upstream", created["client_id"], upstream)["upstream"] == upstream
            assert freebusy("applications", "show", created["client_id"])["upstream"] == upstream

    def test_an_account_is_marked_and_where_its_person_consents_is_shown(self, deployment, freebusy, person):
        url = f"http://127.0.0.1:8080/oauth/relink/{person}/pro"
        assert freebusy("accounts", "move", person) == {"moving": [{"account": person, "relink_url": url}]}
        assert self.is_moving(deployment, person)
        assert freebusy("accounts", "move", person, "--undo")["stay"][0]["account"] == person
        assert not self.is_moving(deployment, person)

    def test_an_application_moves_with_all_its_people_and_nobody_new_connects_at_cronofy(
        self, deployment, freebusy, created, person
    ):
        freebusy("applications", "upstream", created["client_id"], "cronofy")
        moving = freebusy("applications", "move", created["client_id"])["moving"]
        assert [each["account"] for each in moving] == [person]
        assert self.is_moving(deployment, person)
        assert freebusy("applications", "show", created["client_id"])["upstream"] == "direct"

    def test_where_nobody_is_at_cronofy_nobody_moves(self, freebusy, created):
        assert freebusy("applications", "move", created["client_id"]) == {"moving": []}

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (("applications", "upstream", "unknown", "direct"), "there is no application unknown"),
            (("applications", "limit", "unknown", "500"), "there is no application unknown"),
            (("applications", "move", "unknown"), "there is no application unknown"),
            (("accounts", "move", "acc_000000000000000000000000"), "there is no account acc_000000000000000000000000"),
        ],
    )
    def test_who_is_not_there_is_told(self, refused, arguments, reason):
        assert reason in refused(*arguments)
