import re
from dataclasses import replace

import pytest

from freebusy.domain.account import ProviderName
from freebusy.domain.organization_setup import ProofRecord
from freebusy.domain.service_account import Organization
from tests.administrators import ADA, EMPLOYEE, STRANGER, a_request, a_setup


class TestProof:
    def test_is_a_record_of_the_organizations_own_domain(self):
        record = ProofRecord.of("app", ADA)
        assert record.name == "_freebusy-connect.example.com"
        assert re.fullmatch(r"freebusy-connect=[\w-]{43}", record.value)

    def test_is_the_same_whenever_it_is_asked_for(self):
        renamed = ADA._replace(identity=replace(ADA.identity, email="ada.l@example.com", name=None))
        assert ProofRecord.of("app", renamed) == ProofRecord.of("app", ADA)

    def test_is_good_for_one_application_person_and_domain(self):
        elsewhere = ADA._replace(organization=ADA.organization._replace(key="example.org"))
        records = [
            ProofRecord.of("app", ADA),
            ProofRecord.of("other-app", ADA),
            ProofRecord.of("app", EMPLOYEE),
            ProofRecord.of("app", elsewhere),
        ]
        assert len({record.value for record in records}) == 4

    def test_no_part_can_pass_for_another(self):
        glued = ADA._replace(organization=ADA.organization._replace(key='example.com", "a'))
        split = glued._replace(identity=replace(ADA.identity, subject='a", "ada'))
        assert ProofRecord.of("app", glued).value != ProofRecord.of("app", split).value

    def test_tells_nobody_who_it_is(self):
        assert ADA.identity.subject not in ProofRecord.of("app", ADA).value


class TestWhoseSetupItIs:
    def test_the_same_person_whatever_their_address(self):
        assert a_setup().is_of(ADA._replace(identity=replace(ADA.identity, email="new@example.com", name=None)))

    @pytest.mark.parametrize(
        "other",
        [
            pytest.param(EMPLOYEE, id="a colleague"),
            pytest.param(STRANGER, id="an administrator of another organization"),
            pytest.param(STRANGER._replace(identity=ADA.identity), id="the same person, who moved to another"),
            pytest.param(
                EMPLOYEE._replace(identity=replace(EMPLOYEE.identity, email=ADA.identity.email)),
                id="somebody who got the address",
            ),
            pytest.param(
                ADA._replace(
                    identity=replace(ADA.identity, provider=ProviderName.MICROSOFT),
                    organization=Organization(ProviderName.MICROSOFT, "example.com"),
                ),
                id="the same subject at another provider",
            ),
        ],
    )
    def test_nobody_else(self, other):
        assert not a_setup().is_of(other)


def test_rooms_are_shown_to_whom_asks_for_them():
    assert not a_request().wants_resources
    assert a_request(scope="service_account/accounts/manage service_account/resources/manage").wants_resources
