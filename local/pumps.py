"""Carries records from the table's stream and from queues to functions, as Lambda's pollers do.

They differ from Lambda's in two ways, both because somebody is waiting: no batch is held back to be filled
(MaximumBatchingWindowInSeconds), and the messages of a function that crashed come back after seconds instead of after
the queue's visibility timeout, which on AWS is minutes. Messages that a function reports come back when the queue says,
or when the function has said.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local import emulator
from local.event_sources import EventSource, Record, batches, event_of
from local.lambda_host import Outcome

POLL = 0.1
"""Seconds between two looks at a stream."""

LONG_POLL = 1
"""Seconds that a queue may hold a call open; also how long a thread may live on when everything stops."""

TROUBLE_PAUSE = 1.0
"""Seconds before a pump goes on after the emulator failed it."""

LONGEST_PAUSE = 30.0
"""Seconds between retries at most. They begin at one second and double."""

_MOST_MESSAGES = 10
_MOST_RECORDS = 1000

logger = logging.getLogger(__name__)

Invoke = Callable[[str, bytes], Awaitable[Outcome]]
Call = Callable[..., Awaitable[Any]]
"""Runs a blocking call of boto3, with its keyword arguments, in a thread."""


class Pumps:
    """One pump for each event source; they run from ``start`` to ``close``."""

    def __init__(self, sources: Iterable[EventSource], invoke: Invoke, endpoint: str) -> None:
        self._sources = list(sources)
        self._invoke = invoke
        self._endpoint = endpoint
        # Threads of their own: calls that wait for messages would take all of asyncio's.
        self._threads = ThreadPoolExecutor(4 * len(self._sources) + 1, thread_name_prefix="pump")
        self._running: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Reads where streams are, so that whatever is written from now on is carried."""
        pumps = [self._pump(source) for source in self._sources]
        for pump in pumps:
            await pump.prepare()
        self._running = [asyncio.get_running_loop().create_task(_kept_running(pump)) for pump in pumps]

    def close(self) -> None:
        for task in self._running:
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _pump(self, source: EventSource) -> Pump:
        if source.is_stream:
            streams, queues = (emulator.client(name, self._endpoint) for name in ("dynamodbstreams", "sqs"))
            return StreamPump(source, self._invoke, self._call, streams, queues)
        return QueuePump(source, self._invoke, self._call, emulator.client("sqs", self._endpoint))

    async def _call(self, method: Callable[..., Any], **arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(method, **arguments))


async def _kept_running(pump: Pump) -> None:
    while True:
        try:
            await pump.run()
        except (BotoCoreError, ClientError) as error:
            logger.warning("%s: %s", pump.source.function, error)
        except Exception:
            logger.exception("the pump of %s stumbled and goes on", pump.source.function)
        await asyncio.sleep(TROUBLE_PAUSE)


class Pump(ABC):
    """Carries the records of one source. After an error ``run`` can be called again, and nothing is skipped."""

    def __init__(self, source: EventSource, invoke: Invoke, call: Call) -> None:
        self.source = source
        self._invoke = invoke
        self._call = call

    @abstractmethod
    async def prepare(self) -> None:
        """What has to be known before the first record is written."""

    @abstractmethod
    async def run(self) -> None:
        """Until cancelled, or until the emulator fails."""

    async def _failures(self, batch: Sequence[Record]) -> frozenset[str] | None:
        """Invokes the function; see ``EventSource.failures``."""
        began = time.perf_counter()
        failures = self.source.failures(await self._invoke(self.source.function, event_of(batch)))
        result = "failed" if failures is None else f"{len(failures)} failed" if failures else "done"
        took = (time.perf_counter() - began) * 1000
        logger.info("%s: batch of %d %s in %.1f ms", self.source.function, len(batch), result, took)
        return failures


class StreamPump(Pump):
    """In order, one batch at a time; a batch that fails is retried before anything after it.

    The emulator's streams have one shard each, which never splits.
    """

    def __init__(self, source: EventSource, invoke: Invoke, call: Call, streams: Any, queues: Any) -> None:
        super().__init__(source, invoke, call)
        self._streams = streams
        self._queues = queues
        self._shard = ""
        self._iterator: str | None = None
        self._carried: str | None = None

    async def prepare(self) -> None:
        stream = await self._call(self._streams.describe_stream, StreamArn=self.source.arn)
        self._shard = stream["StreamDescription"]["Shards"][0]["ShardId"]
        position = "TRIM_HORIZON" if self.source.from_the_start else "LATEST"
        self._iterator = await self._iterator_at(ShardIteratorType=position)

    async def run(self) -> None:
        while True:
            iterator = self._iterator or await self._resumed()
            self._iterator = None  # until all it brings is carried
            answer = await self._call(self._streams.get_records, ShardIterator=iterator, Limit=_MOST_RECORDS)
            for batch in batches([self._record(each) for each in answer["Records"]], self.source.batch_size):
                if wanted := [record for record in batch if self.source.wants(record)]:
                    await self._carry(wanted)
                self._carried = _sequence_number(batch[-1])
            self._iterator = answer.get("NextShardIterator")
            if not answer["Records"]:
                await asyncio.sleep(POLL)

    async def _resumed(self) -> str:
        """After the last record that was carried; should that be gone from the stream, from what is left of it."""
        if self._carried:
            try:
                return await self._iterator_at(ShardIteratorType="AFTER_SEQUENCE_NUMBER", SequenceNumber=self._carried)
            except ClientError as error:
                if error.response["Error"]["Code"] != "TrimmedDataAccessException":
                    raise
        return await self._iterator_at(ShardIteratorType="TRIM_HORIZON")

    async def _iterator_at(self, **position: str) -> str:
        answer = await self._call(
            self._streams.get_shard_iterator, StreamArn=self.source.arn, ShardId=self._shard, **position
        )
        iterator: str = answer["ShardIterator"]
        return iterator

    async def _carry(self, batch: list[Record]) -> None:
        """All of a batch, however often it takes, unless the mapping limits retries."""
        attempts = 0
        while left := await self._left_of(batch):
            if len(left) < len(batch):
                attempts = 0  # The checkpoint moved on; what it moved to is new.
            elif self.source.bisects and len(left) > 1:
                await self._carry(left[: len(left) // 2])
                left, attempts = left[len(left) // 2 :], 0
            elif self.source.retries is not None and attempts >= self.source.retries:
                await self._give_up(left)
                return
            batch = left
            await asyncio.sleep(pause(attempts))
            attempts += 1

    async def _left_of(self, batch: list[Record]) -> list[Record]:
        """From the first record that failed on: with streams, what comes after it is retried too."""
        failures = await self._failures(batch)
        if failures is None:
            return batch
        numbers = [_sequence_number(record) for record in batch]
        if failures - set(numbers):
            return batch  # An identifier that was never sent fails the batch.
        return batch[min(map(numbers.index, failures)) :] if failures else []

    async def _give_up(self, batch: list[Record]) -> None:
        logger.error("%s: %d records were given up", self.source.function, len(batch))
        if not self.source.on_failure:
            return
        queue = await self._call(self._queues.get_queue_url, QueueName=self.source.on_failure.split(":")[-1])
        await self._call(
            self._queues.send_message, QueueUrl=queue["QueueUrl"], MessageBody=json.dumps(self._obituary(batch))
        )

    def _obituary(self, batch: list[Record]) -> dict[str, Any]:
        """Where the records are, not the records themselves, as Lambda says it."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {
            "version": "1.0",
            "timestamp": now,
            "requestContext": {
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": (self.source.retries or 0) + 1,
            },
            "DDBStreamBatchInfo": {
                "shardId": self._shard,
                "startSequenceNumber": _sequence_number(batch[0]),
                "endSequenceNumber": _sequence_number(batch[-1]),
                "batchSize": len(batch),
                "streamArn": self.source.arn,
            },
        }

    def _record(self, record: Mapping[str, Any]) -> Record:
        """As Lambda gives it to functions: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-example.html."""
        shown: Record = _as_json({**record, "eventSourceARN": self.source.arn})
        if identity := shown.pop("userIdentity", None):
            shown["userIdentity"] = {"type": identity["Type"], "principalId": identity["PrincipalId"]}
        return shown


class QueuePump(Pump):
    """Several batches at a time. A FIFO queue itself keeps the messages of a group apart and in order."""

    def __init__(self, source: EventSource, invoke: Invoke, call: Call, sqs: Any) -> None:
        super().__init__(source, invoke, call)
        self._sqs = sqs
        self._url = ""
        self._visibility = 0
        self._carrying: set[asyncio.Task[None]] = set()

    async def prepare(self) -> None:
        self._url = (await self._call(self._sqs.get_queue_url, QueueName=self.source.arn.split(":")[-1]))["QueueUrl"]
        names = ["VisibilityTimeout"]
        answer = await self._call(self._sqs.get_queue_attributes, QueueUrl=self._url, AttributeNames=names)
        self._visibility = int(answer["Attributes"]["VisibilityTimeout"])

    async def run(self) -> None:
        places = asyncio.Semaphore(self.source.concurrency)
        try:
            while True:
                await places.acquire()
                if messages := await self._receive():
                    task = asyncio.get_running_loop().create_task(self._carry(messages))
                    self._carrying.add(task)
                    task.add_done_callback(self._carried)
                    task.add_done_callback(lambda _: places.release())
                else:
                    places.release()
        finally:
            for task in self._carrying:
                task.cancel()

    async def _receive(self) -> list[Record]:
        answer = await self._call(
            self._sqs.receive_message,
            QueueUrl=self._url,
            MaxNumberOfMessages=min(self.source.batch_size, _MOST_MESSAGES),
            WaitTimeSeconds=LONG_POLL,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return [self._record(message) for message in answer.get("Messages", [])]

    def _carried(self, task: asyncio.Task[None]) -> None:
        self._carrying.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.warning("%s: messages stay in their queue: %s", self.source.function, error)

    async def _carry(self, messages: list[Record]) -> None:
        wanted = [message for message in messages if self.source.wants(message)]
        await self._delete([message for message in messages if message not in wanted])  # as AWS does
        for batch in batches(wanted, self.source.batch_size):
            failures = await self._failures(batch)
            if failures is None:
                for message in batch:
                    await self._put_back(message)
            elif failures <= {message["messageId"] for message in batch}:  # Others fail the batch.
                await self._delete([message for message in batch if message["messageId"] not in failures])

    async def _delete(self, messages: Sequence[Record]) -> None:
        if messages:
            entries = [
                {"Id": str(number), "ReceiptHandle": message["receiptHandle"]}
                for number, message in enumerate(messages)
            ]
            await self._call(self._sqs.delete_message_batch, QueueUrl=self._url, Entries=entries)

    async def _put_back(self, message: Record) -> None:
        """The queue counts how often a message was received, and moves it to the dead letters when it is enough."""
        received = int(message["attributes"]["ApproximateReceiveCount"])
        await self._call(
            self._sqs.change_message_visibility,
            QueueUrl=self._url,
            ReceiptHandle=message["receiptHandle"],
            VisibilityTimeout=min(self._visibility, int(pause(received - 1))),
        )

    def _record(self, message: Mapping[str, Any]) -> Record:
        """As Lambda gives it to functions: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html."""
        record: Record = _as_json(
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {
                    name: {f"{key[0].lower()}{key[1:]}": value for key, value in attribute.items()}
                    for name, attribute in message.get("MessageAttributes", {}).items()
                },
                "md5OfBody": message["MD5OfBody"],
                "eventSource": "aws:sqs",
                "eventSourceARN": self.source.arn,
                "awsRegion": emulator.REGION,
            }
        )
        return record


def pause(failed_before: int) -> float:
    """Seconds until the next attempt."""
    return min(2.0**failed_before, LONGEST_PAUSE)


def _sequence_number(record: Record) -> str:
    number: str = record["dynamodb"]["SequenceNumber"]
    return number


def _as_json(value: Any) -> Any:
    """What boto3 made of JSON, as JSON again: times are epoch seconds and bytes base64."""
    match value:
        case Mapping():
            return {name: _as_json(each) for name, each in value.items()}
        case list() | set() | tuple():
            return [_as_json(each) for each in value]
        case bytes():
            return b64encode(value).decode()
        case datetime():
            return value.timestamp()
    return value
