"""The client for Python: `async with`, reads as asynchronous iterators, and the app's own transport, key store and printer.

For each read `x`, `watch_x` yields the current value, and again after each change, until the client is shut down. A slow reader skips values but
always gets the newest. An error of the read ends the iterator. It may be abandoned at any time, by leaving the `async for`.

Owns the topics of each read, and the loop in which an app's transport, key store and printer run. The calls are generated.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TypeVar

from . import calls
from .generated import farmtally_ffi
from .generated.farmtally_ffi import (
    Access,
    ClientConfig,
    DeliveryPage,
    DeliveryQuery,
    DeliveryView,
    FarmerPage,
    FarmerQuery,
    FarmerView,
    FieldError,
    InboxPage,
    KeyStore,
    KeyStoreError,
    LoadPage,
    LoadQuery,
    LoadView,
    PhoneUser,
    Printer,
    PrinterProfile,
    PrintReport,
    Reference,
    Session,
    SyncProgress,
    SyncStatus,
    Today,
    Topic,
    Transport,
    TransportError,
    WireResponse,
)

T = TypeVar("T")


class _Keys(KeyStore):
    """An app's key store, for calls in the loop that made this."""

    def __init__(self, keys):
        self._keys, self._loop = keys, asyncio.get_running_loop()

    def load(self):
        return self._loop, self._load

    async def _load(self):
        key = await self._keys.load()
        if not isinstance(key, (bytes, bytearray, type(None))):
            raise KeyStoreError.Failed(f"a key is bytes, not {type(key).__name__}")
        return None if key is None else bytes(key)

    def save(self, key):
        return self._loop, partial(self._keys.save, key)


class _Transport(Transport):
    """An app's transport, for calls in the loop that made this."""

    def __init__(self, transport):
        self._transport, self._loop = transport, asyncio.get_running_loop()

    def send(self, request):
        return self._loop, partial(self._send, request)

    async def _send(self, request):
        answer = await self._transport.send(request)
        if not isinstance(answer, WireResponse) or not isinstance(answer.body, (bytes, bytearray)):
            raise TransportError.Failed("an answer is a WireResponse whose body is bytes")
        return WireResponse(status=answer.status, body=bytes(answer.body), location=answer.location)


class _Printer(Printer):
    """An app's printer, for calls in the loop that made this."""

    def __init__(self, printer):
        self._printer, self._loop = printer, asyncio.get_running_loop()

    def send(self, bytes):
        return self._loop, partial(self._printer.send, bytes)

    def ask(self, question):
        return self._loop, partial(self._printer.ask, question)


class Paper(farmtally_ffi.Paper):
    __doc__ = farmtally_ffi.Paper.__doc__

    async def print(self, printer: Printer, profile: PrinterProfile, fonts: list[bytes] | None = None) -> PrintReport:
        """Prints the paper line by line, and asks the printer after each line whether it is on paper. The record is not changed: call
        record_print if paper was used.

        The printer is called in the event loop that calls this. An error of it that is no PrinterError ends the print as PrinterError.Disconnected does.
        """
        return await super().print(_Printer(printer), profile, fonts or [])


# The class whose objects the generated calls return.
farmtally_ffi.Paper = Paper


class FieldClient(farmtally_ffi.FieldClient):
    __doc__ = farmtally_ffi.FieldClient.__doc__

    @classmethod
    async def open(
        cls, config: ClientConfig, key_store: KeyStore | None = None, transport: Transport | None = None
    ) -> FieldClient:
        """Opens the data folder, and creates it if it does not exist. With a key store, the database is encrypted. With a transport, it sends
        all requests; otherwise the library's HTTPS client does.

        Fails with Refused (code not_allowed) if the folder is already open in this or another process, or if a key store is given and this
        build cannot encrypt; with KeyNeeded if the key store gives no key or a wrong one, or the database is encrypted and no key store was
        given; with Invalid (field data_dir) if the folder cannot be used; with UpdateNeeded if a newer version wrote the database.

        Key store and transport run in the event loop that calls this; once it is closed, requests of the client fail as if there was no network.
        """
        # Compared with `is`: a key store that is falsy must not leave the database unencrypted.
        keys = None if key_store is None else _Keys(key_store)
        sender = None if transport is None else _Transport(transport)
        client = await super().open(config, keys, sender)
        # The generated call returns an object of its own class.
        client.__class__ = cls
        if sender is not None:
            calls.serve(client)
        return client

    def __del__(self):
        # Freeing it would close the store, which is still open in the process that this one was forked from.
        if not calls.is_forked():
            super().__del__()

    async def __aenter__(self) -> FieldClient:
        return self

    async def __aexit__(self, *_):
        await self.shut_down()

    def watch_session(self) -> AsyncIterator[Session | None]:
        """`session`, now and after each change."""
        return self.watch(self.session, Topic.SESSION, Topic.REFERENCE)

    def watch_users(self) -> AsyncIterator[list[PhoneUser]]:
        """`users`, now and after each change."""
        return self.watch(self.users, Topic.SESSION, Topic.REFERENCE)

    def watch_access(self) -> AsyncIterator[Access]:
        """`access`, now and after each change."""
        return self.watch(self.access, Topic.SESSION, Topic.SYNC)

    def watch_reference(self) -> AsyncIterator[Reference]:
        """`reference`, now and after each change."""
        return self.watch(self.reference, Topic.REFERENCE)

    def watch_today(self, centre: str, date: str | None = None) -> AsyncIterator[Today]:
        """`today`, now and after each change."""
        return self.watch(lambda: self.today(centre, date), Topic.DELIVERIES, Topic.LOADS, Topic.SYNC)

    def watch_deliveries(self, query: DeliveryQuery) -> AsyncIterator[DeliveryPage]:
        """`deliveries`, now and after each change."""
        return self.watch(lambda: self.deliveries(query), Topic.DELIVERIES, Topic.SYNC)

    def watch_delivery(self, delivery_id: str) -> AsyncIterator[DeliveryView]:
        """`delivery`, now and after each change."""
        return self.watch(lambda: self.delivery(delivery_id), Topic.DELIVERIES, Topic.INBOX, Topic.SYNC)

    def watch_farmers(self, query: FarmerQuery) -> AsyncIterator[FarmerPage]:
        """`farmers`, now and after each change."""
        return self.watch(lambda: self.farmers(query), Topic.FARMERS)

    def watch_loads(self, query: LoadQuery) -> AsyncIterator[LoadPage]:
        """`loads`, now and after each change."""
        return self.watch(lambda: self.loads(query), Topic.LOADS, Topic.SYNC)

    def watch_farmer(self, farmer_id: str) -> AsyncIterator[FarmerView]:
        """`farmer`, now and after each change."""
        return self.watch(lambda: self.farmer(farmer_id), Topic.FARMERS, Topic.INBOX, Topic.SYNC)

    def watch_load(self, load_id: str) -> AsyncIterator[LoadView]:
        """`load`, now and after each change."""
        return self.watch(lambda: self.load(load_id), Topic.LOADS, Topic.INBOX, Topic.SYNC)

    def watch_inbox(self) -> AsyncIterator[InboxPage]:
        """`inbox`, now and after each change."""
        return self.watch(self.inbox, Topic.INBOX)

    def watch_sync_status(self) -> AsyncIterator[SyncStatus]:
        """`sync_status`, now and after each change."""
        return self.watch(self.sync_status, Topic.SYNC)

    def watch_sync_progress(self) -> AsyncIterator[SyncProgress | None]:
        """Progress of the running sync; None while none runs."""
        return self.watch(self._sync_progress, Topic.SYNC)

    async def _sync_progress(self):
        event = await self.wait_for_event(0)
        return event and event.progress

    async def watch(self, read: Callable[[], Awaitable[T]], *topics: Topic) -> AsyncIterator[T]:
        """Another read, now and after each change of the topics: `client.watch(lambda: client.lorry_requests(query), Topic.RECORDS)`."""
        after, last = 0, self
        while (event := await self.wait_for_event(after)) is not None:
            after = event.sequence
            if not any(topic in topics for topic in event.topics):
                continue
            try:
                value = await read()
            except FieldError.ShutDown:
                return
            # Generated records can be compared only with their own type.
            if type(value) is not type(last) or value != last:
                last = value
                yield value
