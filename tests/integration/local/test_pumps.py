"""Streams and queues reach functions as on AWS: in order, again after a failure, and never not at all."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from local import emulator as aws
from local import pumps
from local.event_sources import EventSource
from local.lambda_host import Function, LambdaHost, Outcome
from local.processes import Children
from local.pumps import Pumps
from tests.background import background_loop
from tests.waiting import PATIENCE, until

DATA = Path(__file__).parents[2] / "data" / "laptop"

MOMENT = "5"
"""Seconds after which a queue hands out again what was not deleted: more than a pump needs on a loaded machine."""

pytestmark = pytest.mark.emulator


class Reactor:
    """A function that does as each test says; ``fails`` names the records that fail, and how often."""

    def __init__(self):
        self.batches = []
        self.fails = {}
        self.raises = {}

    async def invoke(self, name, event):
        assert name == "reactor"
        records = json.loads(event)["Records"]
        self.batches.append(records)
        if any(self._strikes(self.raises, record) for record in records):
            return Outcome(b'{"errorType": "LookupError"}', failed=True)
        failed = [identifier(record) for record in records if self._strikes(self.fails, record)]
        return Outcome(json.dumps({"batchItemFailures": [{"itemIdentifier": each} for each in failed]}).encode())

    def _strikes(self, trouble, record):
        left = trouble.get(word(record), 0)
        trouble[word(record)] = left - 1
        return left > 0

    @property
    def words(self):
        """What the records of each batch are about."""
        return [[word(record) for record in batch] for batch in self.batches]

    @property
    def seen(self):
        return [each for batch in self.words for each in batch]


def word(record):
    return record["dynamodb"]["Keys"]["pk"]["S"] if "dynamodb" in record else record["body"]


def identifier(record):
    return record["dynamodb"]["SequenceNumber"] if "dynamodb" in record else record["messageId"]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(pumps, "pause", lambda _: 0.01)


@pytest.fixture
def reactor():
    return Reactor()


@pytest.fixture
def run():
    with background_loop() as run:
        yield run


@pytest.fixture
def pumping(emulator, reactor, run):
    """Starts pumps that stop with the test, or before it when what it gives is called."""
    closing = []

    def start(*sources, invoke=reactor.invoke):
        running = Pumps(sources, invoke, emulator)
        run(running.start())

        async def close():
            running.close()

        closing.append(lambda: run(close()))
        return closing[-1]

    yield start
    for close in closing:
        close()


class Table:
    """A table with a stream."""

    def __init__(self, endpoint):
        self._dynamodb = aws.client("dynamodb", endpoint)
        self.name = f"table-{uuid4().hex}"
        described = self._dynamodb.create_table(
            TableName=self.name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self.stream = described["TableDescription"]["LatestStreamArn"]

    def put(self, *names, **attributes):
        for name in names:
            self._dynamodb.put_item(TableName=self.name, Item={"pk": {"S": name}, **attributes})

    def delete(self, name):
        self._dynamodb.delete_item(TableName=self.name, Key={"pk": {"S": name}})


class Queue:
    def __init__(self, endpoint, *, fifo=False, **attributes):
        self._sqs = aws.client("sqs", endpoint)
        self._fifo = fifo
        name = f"queue-{uuid4().hex}" + (".fifo" if fifo else "")
        kind = {"FifoQueue": "true"} if fifo else {}
        self.url = self._sqs.create_queue(QueueName=name, Attributes={**kind, **attributes})["QueueUrl"]
        self.arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"

    def send(self, *bodies, group="group", **more):
        for body in bodies:
            kind = {"MessageGroupId": group, "MessageDeduplicationId": uuid4().hex} if self._fifo else {}
            self._sqs.send_message(QueueUrl=self.url, MessageBody=body, **kind, **more)

    def is_empty(self):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return set(counts.values()) == {"0"}

    def taken(self):
        """The next message's body."""
        messages = self._sqs.receive_message(QueueUrl=self.url, WaitTimeSeconds=5).get("Messages", [{}])
        return messages[0].get("Body")


@pytest.fixture
def table(emulator):
    return Table(emulator)


@pytest.fixture
def stream(table):
    return EventSource(table.stream, "reactor", 10, reports_failures=True)


@pytest.fixture
def dead_letters(emulator):
    return Queue(emulator)


@pytest.fixture(params=["standard", "fifo"])
def queue(request, emulator):
    return Queue(emulator, fifo=request.param == "fifo", VisibilityTimeout="600")


def source_of(queue, **changed):
    return EventSource(queue.arn, "reactor", **{"batch_size": 10, "reports_failures": True, **changed})


# Streams.


def test_a_change_reaches_the_function_in_lambdas_words(table, stream, pumping, reactor):
    table.put("thing", blob={"B": b"\x00\xff"}, count={"N": "1"}, names={"SS": ["a"]})
    table.delete("thing")
    pumping(replace(stream, from_the_start=True))
    until(lambda: len(reactor.seen) == 2)

    inserted, removed = (record for batch in reactor.batches for record in batch)
    changes = inserted["dynamodb"]
    assert inserted["eventName"] == "INSERT"
    assert inserted["eventSource"] == "aws:dynamodb"
    assert inserted["eventVersion"] == "1.1"
    assert inserted["awsRegion"] == "us-east-1"
    assert inserted["eventSourceARN"] == table.stream
    assert inserted["eventID"]
    assert changes["Keys"] == {"pk": {"S": "thing"}}
    assert changes["NewImage"] == {
        "pk": {"S": "thing"},
        "blob": {"B": "AP8="},
        "count": {"N": "1"},
        "names": {"SS": ["a"]},
    }
    assert changes["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert isinstance(changes["ApproximateCreationDateTime"], float)
    assert changes["SequenceNumber"] < removed["dynamodb"]["SequenceNumber"]
    assert removed["eventName"] == "REMOVE"
    assert removed["dynamodb"]["OldImage"] == changes["NewImage"]
    assert "NewImage" not in removed["dynamodb"]


def test_an_expired_item_says_who_removed_it(stream):
    pump = pumps.StreamPump(stream, None, None, None, None)
    record = {"dynamodb": {}, "userIdentity": {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}}
    assert pump._record(record)["userIdentity"] == {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


def test_changes_arrive_in_order_in_batches_of_the_size(table, stream, pumping, reactor):
    names = [f"{number:02}" for number in range(25)]
    table.put(*names)
    pumping(replace(stream, from_the_start=True))
    until(lambda: len(reactor.seen) == 25)
    assert reactor.seen == names
    assert [len(batch) for batch in reactor.batches] == [10, 10, 5]


def test_latest_begins_with_what_is_written_after_the_start(table, stream, pumping, reactor):
    table.put("before")
    pumping(stream)
    table.put("after")
    until(lambda: reactor.seen)
    assert reactor.seen == ["after"]


def test_changes_that_no_filter_wants_are_passed_over(table, stream, pumping, reactor):
    pattern = {"dynamodb": {"Keys": {"pk": {"S": [{"prefix": "EVENT#"}]}}}, "eventName": ["INSERT"]}
    pumping(replace(stream, filters=(pattern,)))
    table.put("EVENT#1", "SENT#1")
    table.delete("EVENT#1")
    table.put("EVENT#2")
    until(lambda: len(reactor.seen) == 2)
    assert reactor.seen == ["EVENT#1", "EVENT#2"]


def test_what_failed_is_retried_with_all_that_came_after_it(table, stream, pumping, reactor):
    reactor.fails = {"b": 2}
    table.put("a", "b", "c")
    pumping(replace(stream, from_the_start=True))
    until(lambda: len(reactor.batches) == 3)
    assert reactor.words == [["a", "b", "c"], ["b", "c"], ["b", "c"]]


def test_a_batch_that_failed_as_a_whole_is_retried_before_anything_else(table, stream, pumping, reactor):
    reactor.raises = {"a": 3}
    table.put("a")
    pumping(replace(stream, from_the_start=True))
    until(lambda: reactor.batches)
    table.put("b")
    until(lambda: "b" in reactor.seen)
    assert reactor.words == [["a"]] * 4 + [["b"]]


def test_bisecting_finds_the_record_that_fails(table, stream, pumping, reactor):
    reactor.raises = {"c": 4}
    table.put("a", "b", "c", "d")
    pumping(replace(stream, from_the_start=True, bisects=True))
    until(lambda: reactor.seen.count("d") == 3)
    assert reactor.words == [
        ["a", "b", "c", "d"],
        ["a", "b"],
        ["c", "d"],
        ["c"],
        ["c"],
        ["c"],
        ["d"],
    ]


def test_a_report_of_a_record_that_was_not_sent_fails_the_batch(table, stream, pumping):
    answers = [b'{"batchItemFailures": [{"itemIdentifier": "nobody"}]}', b"{}"]
    seen = []

    async def invoke(_, event):
        seen.append([word(record) for record in json.loads(event)["Records"]])
        return Outcome(answers[len(seen) - 1])

    table.put("a", "b")
    pumping(replace(stream, from_the_start=True), invoke=invoke)
    until(lambda: len(seen) == 2)
    assert seen == [["a", "b"], ["a", "b"]]


def test_after_the_last_retry_a_batch_is_reported_and_the_stream_goes_on(table, stream, pumping, reactor, dead_letters):
    reactor.raises = {"poison": 1000}
    table.put("poison")
    pumping(replace(stream, from_the_start=True, retries=2, on_failure=dead_letters.arn))
    until(lambda: len(reactor.batches) == 3)
    table.put("next")
    until(lambda: "next" in reactor.seen)
    assert reactor.words == [["poison"]] * 3 + [["next"]]
    report = json.loads(dead_letters.taken())
    number = identifier(reactor.batches[0][0])
    assert report["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert report["DDBStreamBatchInfo"]["streamArn"] == table.stream
    assert report["DDBStreamBatchInfo"]["startSequenceNumber"] == number
    assert report["DDBStreamBatchInfo"]["endSequenceNumber"] == number


def test_a_pump_that_stumbles_goes_on_where_it_was(table, stream, pumping, monkeypatch):
    monkeypatch.setattr(pumps, "TROUBLE_PAUSE", 0.01)
    seen = []

    async def invoke(_, event):
        seen.append([word(record) for record in json.loads(event)["Records"]])
        if len(seen) == 2:
            raise RuntimeError("the host is confused")
        return Outcome(b"{}")

    pumping(replace(stream, batch_size=1), invoke=invoke)
    table.put("a", "b", "c")
    until(lambda: len(seen) == 4)
    assert seen == [["a"], ["b"], ["b"], ["c"]]


# Queues.


def test_a_message_reaches_the_function_in_lambdas_words(queue, pumping, reactor):
    attribute = {"colour": {"DataType": "String", "StringValue": "red"}}
    queue.send("hello", MessageAttributes=attribute)
    pumping(source_of(queue))
    until(lambda: reactor.seen)

    ((record,),) = reactor.batches
    assert record["body"] == "hello"
    assert record["messageId"]
    assert record["receiptHandle"]
    assert record["md5OfBody"] == "5d41402abc4b2a76b9719d911017c592"
    assert record["messageAttributes"] == {"colour": {"dataType": "String", "stringValue": "red"}}
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"] == queue.arn
    assert record["awsRegion"] == "us-east-1"
    attributes = {"ApproximateReceiveCount", "SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"}
    fifo = {"MessageGroupId", "MessageDeduplicationId", "SequenceNumber"}
    assert record["attributes"].keys() == (attributes | fifo if queue.arn.endswith(".fifo") else attributes)
    assert record["attributes"]["ApproximateReceiveCount"] == "1"


def test_messages_that_were_done_are_gone(queue, pumping, reactor):
    pumping(source_of(queue))
    queue.send("a", "b", "c")
    until(queue.is_empty)
    assert sorted(reactor.seen) == ["a", "b", "c"]


def test_messages_that_were_reported_come_back_when_the_queue_says_and_the_others_do_not(emulator, pumping, reactor):
    queue = Queue(emulator, VisibilityTimeout=MOMENT)
    reactor.fails = {"b": 2}
    queue.send("a", "b", "c")
    pumping(source_of(queue))
    until(queue.is_empty)
    assert sorted(reactor.seen) == ["a", "b", "b", "b", "c"]
    assert [record["attributes"]["ApproximateReceiveCount"] for batch in reactor.batches for record in batch][-1] == "3"


def test_a_function_may_say_itself_when_a_message_comes_back(queue, pumping, reactor):
    sqs = queue._sqs

    async def invoke(name, event):
        for record in json.loads(event)["Records"]:
            receipt = record["receiptHandle"]
            sqs.change_message_visibility(QueueUrl=queue.url, ReceiptHandle=receipt, VisibilityTimeout=0)
        return await reactor.invoke(name, event)

    reactor.fails = {"a": 2}
    queue.send("a")
    pumping(source_of(queue, concurrency=1), invoke=invoke)
    until(queue.is_empty)
    assert reactor.seen == ["a", "a", "a"]


def test_a_function_that_fails_gets_all_of_the_batch_again(queue, pumping, reactor):
    reactor.raises = {"b": 1}
    queue.send("a", "b")
    pumping(source_of(queue))
    until(queue.is_empty)
    assert reactor.words[0] == ["a", "b"]
    assert sorted(reactor.seen) == ["a", "a", "b", "b"]


def test_messages_that_no_filter_wants_are_dropped(queue, pumping, reactor):
    queue.send('{"kind": "other"}', '{"kind": "due"}')
    pumping(source_of(queue, filters=({"body": {"kind": ["due"]}},)))
    until(queue.is_empty)
    assert reactor.seen == ['{"kind": "due"}']


@pytest.mark.parametrize("fifo", [False, True])
def test_poison_ends_among_the_dead_letters(emulator, pumping, reactor, fifo):
    dead = Queue(emulator, fifo=fifo)
    policy = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 3})
    queue = Queue(emulator, fifo=fifo, VisibilityTimeout="600", RedrivePolicy=policy)
    reactor.raises = {"poison": 1000}
    queue.send("poison")
    pumping(source_of(queue))
    until(lambda: len(reactor.seen) == 3)
    queue.send("next")
    until(queue.is_empty)
    assert reactor.seen == ["poison"] * 3 + ["next"]
    assert dead.taken() == "poison"


def test_messages_of_a_group_stay_in_order_while_one_of_them_fails(emulator, pumping, reactor):
    queue = Queue(emulator, fifo=True, VisibilityTimeout="600")
    reactor.raises = {"1": 3}
    pumping(source_of(queue, concurrency=5))
    queue.send("1", "2", "3")
    until(queue.is_empty)
    first_success = len(reactor.seen) - 1 - reactor.seen[::-1].index("1")
    assert reactor.seen[first_success:] == ["1", "2", "3"]


def test_a_group_that_fails_does_not_hold_up_another(emulator, pumping, reactor):
    queue = Queue(emulator, fifo=True, VisibilityTimeout="600")
    reactor.raises = {"stuck": 1000}
    pumping(source_of(queue, batch_size=1))
    queue.send("stuck", group="a")
    until(lambda: reactor.seen)
    queue.send("free", group="b")
    until(lambda: "free" in reactor.seen)


def test_batches_are_worked_on_at_the_same_time(emulator, pumping):
    """Each of three messages waits for the other two."""
    queue = Queue(emulator)
    all_here = asyncio.Barrier(3)

    async def invoke(*_):
        await all_here.wait()
        return Outcome(b"{}")

    pumping(source_of(queue, batch_size=1, concurrency=3), invoke=invoke)
    queue.send("a", "b", "c")
    until(queue.is_empty)


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_what_is_sent_while_no_pump_runs_is_carried_by_the_next(emulator, fifo, pumping, reactor):
    """A pump that stops while it waits for messages may still be handed one, which then comes back soon."""
    queue = Queue(emulator, fifo=fifo, VisibilityTimeout=MOMENT)
    stop = pumping(source_of(queue))
    queue.send("a")
    until(queue.is_empty)
    stop()
    queue.send("b")
    pumping(source_of(queue))
    until(queue.is_empty)
    assert reactor.seen == ["a", "b"]


# The whole way.


@pytest.fixture
def notebook(tmp_path):
    return tmp_path / "notebook"


@pytest.fixture
def host(run, notebook, tmp_path):
    function = Function(
        name="reactor",
        arn="arn:aws:lambda:us-east-1:000000000000:function:reactor",
        code=DATA / "functions" / "reactor",
        handler="app.lambda_handler",
        timeout=PATIENCE,
        memory=128,
        environment={"NOTEBOOK": str(notebook)},
    )
    children = run(Children(tmp_path).__aenter__())
    host = LambdaHost([function], children, layers=[], environment={})
    yield host
    host.close()
    run(children.__aexit__(None, None, None))


def test_real_functions_get_the_records(queue, host, notebook, pumping):
    pumping(source_of(queue), invoke=host.invoke)
    queue.send("sent")
    until(queue.is_empty)
    (event,) = map(json.loads, notebook.read_text().splitlines())
    assert [word(record) for record in event["Records"]] == ["sent"]
