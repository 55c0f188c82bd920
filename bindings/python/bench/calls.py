"""What a call costs: run by `tests/run calls`."""

import asyncio
import statistics
import tempfile
import time

from farmtally_field import (
    ClientConfig,
    FieldClient,
    probe_async,
    probe_bare,
    probe_record_in,
    probe_records_out,
)


async def main():
    with tempfile.TemporaryDirectory(prefix="farmtally-") as folder:
        async with await FieldClient.open(ClientConfig(data_dir=folder)) as client:
            [row] = probe_records_out(1)
            report("bare", 2_000, lambda: probe_bare(7))
            report("one record in", 500, lambda: probe_record_in(row))
            report("1,000 records out", 5, lambda: probe_records_out(1_000))
            await report_async("async no-op", 200, probe_async)
            await report_async("a read on a thread of the library", 200, client.session)
            await report_async("an event", 200, lambda: client.wait_for_event(0))


WARMING, BATCHES = 5, 41


def report(name, batch, call):
    costs = []
    for _ in range(WARMING + BATCHES):
        begun = time.perf_counter()
        for _ in range(batch):
            call()
        costs.append((time.perf_counter() - begun) * 1e6 / batch)
    show(name, costs)


async def report_async(name, batch, call):
    costs = []
    for _ in range(WARMING + BATCHES):
        begun = time.perf_counter()
        for _ in range(batch):
            await call()
        costs.append((time.perf_counter() - begun) * 1e6 / batch)
    show(name, costs)


def show(name, costs):
    """The median over the batches after the warming, in microseconds a call."""
    print(f"Python | {name} | {statistics.median(costs[WARMING:]):.2f}")


asyncio.run(main())
