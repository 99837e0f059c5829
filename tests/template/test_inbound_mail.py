"""How mail comes in: who may put it where, how long it stays, and what happens when it cannot be read."""

import pytest

from tests.template.deployment import RESOURCES, TEMPLATE

BUCKET = RESOURCES["InboundMail"]["Properties"]
QUEUE, DEAD_LETTERS = (RESOURCES[name]["Properties"] for name in ("ReceivedMail", "ReceivedMailDeadLetters"))
DAY = 86_400
OF_THIS_ACCOUNT = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def policy(name: str) -> list[dict]:
    return RESOURCES[name]["Properties"]["PolicyDocument"]["Statement"]


class TestRule:
    RULE = RESOURCES["InboundRule"]["Properties"]["Rule"]

    def test_takes_mail_to_the_deployment_s_own_domain_alone(self):
        """A rule without recipients would take the mail of every domain of the account."""
        assert self.RULE["Recipients"] == [{"Ref": "MailDomain"}]

    def test_is_there_only_when_there_is_a_domain(self):
        assert {RESOURCES[name]["Condition"] for name in ("InboundRules", "InboundRule")} == {"HasMailDomain"}
        assert TEMPLATE["Conditions"]["HasMailDomain"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "MailDomain"}, ""]}]}

    def test_has_mail_checked_for_spam_and_viruses_which_ses_does_not_do_unasked(self):
        assert self.RULE["ScanEnabled"] is True
        assert self.RULE["TlsPolicy"] == "Require"

    def test_stores_the_mail_and_then_says_so(self):
        """One action does both, so that nothing is said of mail that could not be stored."""
        assert self.RULE["Actions"] == [
            {"S3Action": {"BucketName": {"Ref": "InboundMail"}, "TopicArn": {"Ref": "MailNotifications"}}}
        ]

    def test_is_made_after_what_allows_it_to_work(self):
        assert set(RESOURCES["InboundRule"]["DependsOn"]) == {"InboundMailPolicy", "MailNotificationsPolicy"}


class TestBucket:
    def test_is_closed_to_the_public_and_encrypted(self):
        assert set(BUCKET["PublicAccessBlockConfiguration"].values()) == {True}
        assert len(BUCKET["PublicAccessBlockConfiguration"]) == 4
        assert BUCKET["BucketEncryption"]
        assert BUCKET["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}

    def test_takes_mail_from_ses_of_this_account_alone(self):
        allowed = [statement for statement in policy("InboundMailPolicy") if statement["Effect"] == "Allow"]
        (statement,) = allowed
        assert statement["Principal"] == {"Service": "ses.amazonaws.com"}
        assert statement["Action"] == "s3:PutObject"
        assert statement["Condition"] == OF_THIS_ACCOUNT

    def test_speaks_tls_alone(self):
        (statement,) = [each for each in policy("InboundMailPolicy") if each["Effect"] == "Deny"]
        assert statement["Principal"] == "*"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}

    def test_forgets_mail_no_sooner_than_the_last_chance_to_read_it(self):
        (rule,) = BUCKET["LifecycleConfiguration"]["Rules"]
        assert rule["Status"] == "Enabled"
        assert rule["ExpirationInDays"] * DAY >= DEAD_LETTERS["MessageRetentionPeriod"]
        assert rule["ExpirationInDays"] <= 14


class TestNotifications:
    def test_come_from_ses_of_this_account_alone(self):
        (statement,) = policy("MailNotificationsPolicy")
        assert statement["Principal"] == {"Service": "ses.amazonaws.com"}
        assert statement["Condition"] == OF_THIS_ACCOUNT

    def test_reach_the_queue_as_ses_wrote_them(self):
        subscription = RESOURCES["MailNotificationsSubscription"]["Properties"]
        assert subscription["RawMessageDelivery"] is True
        assert subscription["Endpoint"] == {"Fn::GetAtt": ["ReceivedMail", "Arn"]}

    def test_alone_reach_the_queue(self):
        (statement,) = policy("ReceivedMailPolicy")
        assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Ref": "MailNotifications"}}}

    def test_wait_as_long_as_lambda_asks_for(self):
        assert QUEUE["VisibilityTimeout"] >= 6 * TEMPLATE["Globals"]["Function"]["Timeout"]

    @pytest.mark.parametrize("queue", [QUEUE, DEAD_LETTERS], ids=["queue", "dead letters"])
    def test_are_kept_encrypted_and_as_long_as_sqs_can(self, queue):
        assert queue["SqsManagedSseEnabled"] is True
        assert queue["MessageRetentionPeriod"] == 14 * DAY

    def test_that_cannot_be_handled_end_where_an_alarm_sees_them(self):
        assert QUEUE["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["ReceivedMailDeadLetters", "Arn"]}
        assert 5 <= QUEUE["RedrivePolicy"]["maxReceiveCount"] <= 10
        alarm = RESOURCES["ReceivedMailFailed"]["Properties"]
        assert alarm["Dimensions"] == [
            {"Name": "QueueName", "Value": {"Fn::GetAtt": ["ReceivedMailDeadLetters", "QueueName"]}}
        ]
        assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)
