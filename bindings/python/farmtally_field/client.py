"""The client for Python: `async with`, reads as asynchronous iterators, and the app's own transport and key store.

For each read `x`, `watch_x` yields the current value, and again after each change, until the client is shut down. A slow reader skips values but
always gets the newest. An error of the read ends the iterator. It may be abandoned at any time, by leaving the `async for`.

Owns the topics of each read, the loop in which an app's transport and key store run, and a clean end of the process. The calls are generated.
"""

from __future__ import annotations

import asyncio
import atexit
import sys
import time
import weakref
from collections.abc import AsyncIterator

from .generated import farmtally_ffi
from .generated.farmtally_ffi import (
    Access,
    ClientConfig,
    DeliveryPage,
    DeliveryQuery,
    DeliveryView,
    FarmerRow,
    FarmerView,
    FieldError,
    InboxPage,
    KeyStore,
    KeyStoreError,
    LoadView,
    PhoneUser,
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

# Number of callers of the app: clients with a transport of the app, and key stores while a client opens.
_callers = 0


def _is_called():
    global _callers
    _callers += 1
    farmtally_ffi.uniffi_set_event_loop(asyncio.get_running_loop())


def _is_no_longer_called(_=None):
    global _callers
    _callers -= 1
    if not _callers:
        farmtally_ffi.uniffi_set_event_loop(None)


class _Keys(KeyStore):
    """An app's key store; fails its calls once the opening of the client is cancelled."""

    def __init__(self, keys):
        self._keys = keys
        self.given_up = asyncio.get_running_loop().create_future()

    async def load(self):
        key = await self._answer(self._keys.load())
        if not isinstance(key, (bytes, bytearray, type(None))):
            raise KeyStoreError.Failed(f"a key is bytes, not {type(key).__name__}")
        return None if key is None else bytes(key)

    async def save(self, key):
        await self._answer(self._keys.save(key))

    async def _answer(self, call):
        answer = asyncio.ensure_future(call)
        await asyncio.wait({answer, self.given_up}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            raise KeyStoreError.Failed("nobody waits for the client any more")
        try:
            return answer.result()
        except (KeyStoreError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            raise KeyStoreError.Failed(_said(error)) from None


class _Transport(Transport):
    """An app's transport that turns every exception into a TransportError."""

    def __init__(self, transport):
        self._transport = transport

    async def send(self, request):
        try:
            answer = await self._transport.send(request)
        except (TransportError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            raise TransportError.Failed(_said(error)) from None
        if not isinstance(answer, WireResponse) or not isinstance(answer.body, (bytes, bytearray)):
            raise TransportError.Failed("an answer is a WireResponse whose body is bytes")
        return WireResponse(status=answer.status, body=bytes(answer.body))


def _said(error):
    """Returns the text of any exception; the generated code handles only ordinary ones, and expects their text not to raise."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__


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

        Key store and transport run in the event loop that calls this. While a client has a transport, all clients of the process must be used
        from that loop.
        """
        # Compared with `is`: a key store that is falsy must not leave the database unencrypted.
        keys = None if key_store is None else _Keys(key_store)
        sender = None if transport is None else _Transport(transport)
        opening = asyncio.ensure_future(super().open(config, keys, sender))
        if keys is not None:
            _is_called()
            opening.add_done_callback(_is_no_longer_called)
        try:
            client = await asyncio.shield(opening)
        except asyncio.CancelledError:
            if keys is not None and not keys.given_up.done():
                keys.given_up.set_result(None)
            opening.add_done_callback(_close_unwanted)
            raise
        # The generated call returns an object of its own class.
        client.__class__ = cls
        client._is_done = lambda: None
        if transport is not None:
            _is_called()
            client._is_done = weakref.finalize(client, _is_no_longer_called)
            client._is_done.atexit = False
        return client

    async def shut_down(self) -> None:
        """Waits for running writes and closes the store; the folder stays open until a sync that waits for the network has ended. May be
        called twice. Later calls fail with ShutDown, except that wait_for_event returns None."""
        await super().shut_down()
        self._is_done()

    async def __aenter__(self) -> FieldClient:
        return self

    async def __aexit__(self, *_):
        await self.shut_down()

    def watch_session(self) -> AsyncIterator[Session | None]:
        """`session`, now and after each change."""
        return self._watch(self.session, Topic.SESSION, Topic.REFERENCE)

    def watch_users(self) -> AsyncIterator[list[PhoneUser]]:
        """`users`, now and after each change."""
        return self._watch(self.users, Topic.SESSION, Topic.REFERENCE)

    def watch_access(self) -> AsyncIterator[Access]:
        """`access`, now and after each change."""
        return self._watch(self.access, Topic.SESSION, Topic.SYNC)

    def watch_reference(self) -> AsyncIterator[Reference]:
        """`reference`, now and after each change."""
        return self._watch(self.reference, Topic.REFERENCE)

    def watch_today(self, centre: str, date: str | None = None) -> AsyncIterator[Today]:
        """`today`, now and after each change."""
        return self._watch(lambda: self.today(centre, date), Topic.DELIVERIES, Topic.LOADS, Topic.SYNC)

    def watch_deliveries(self, query: DeliveryQuery) -> AsyncIterator[DeliveryPage]:
        """`deliveries`, now and after each change."""
        return self._watch(lambda: self.deliveries(query), Topic.DELIVERIES, Topic.SYNC)

    def watch_delivery(self, delivery_id: str) -> AsyncIterator[DeliveryView]:
        """`delivery`, now and after each change."""
        return self._watch(lambda: self.delivery(delivery_id), Topic.DELIVERIES, Topic.INBOX, Topic.SYNC)

    def watch_farmers(self, centre: str, text: str, limit: int = 50) -> AsyncIterator[list[FarmerRow]]:
        """`farmers`, now and after each change."""
        return self._watch(lambda: self.farmers(centre, text, limit), Topic.FARMERS)

    def watch_farmer(self, farmer_id: str) -> AsyncIterator[FarmerView]:
        """`farmer`, now and after each change."""
        return self._watch(lambda: self.farmer(farmer_id), Topic.FARMERS, Topic.INBOX, Topic.SYNC)

    def watch_load(self, load_id: str) -> AsyncIterator[LoadView]:
        """`load`, now and after each change."""
        return self._watch(lambda: self.load(load_id), Topic.LOADS, Topic.INBOX, Topic.SYNC)

    def watch_inbox(self) -> AsyncIterator[InboxPage]:
        """`inbox`, now and after each change."""
        return self._watch(self.inbox, Topic.INBOX)

    def watch_sync_status(self) -> AsyncIterator[SyncStatus]:
        """`sync_status`, now and after each change."""
        return self._watch(self.sync_status, Topic.SYNC)

    def watch_sync_progress(self) -> AsyncIterator[SyncProgress | None]:
        """Progress of the running sync; None while none runs."""
        return self._watch(self._sync_progress, Topic.SYNC)

    async def _sync_progress(self):
        event = await self.wait_for_event(0)
        return event and event.progress

    async def _watch(self, read, *topics):
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


def _close_unwanted(opening):
    """Closes a client whose opening was cancelled."""
    if not opening.cancelled() and opening.exception() is None:
        asyncio.ensure_future(opening.result().shut_down())


@atexit.register
def _let_threads_leave():
    """Waits for threads of the library that are still in Python after they have reported the end of a call.

    If the interpreter ended first, it would end these threads, and that aborts the process.
    """
    while any(_came_from_library(frame) for frame in sys._current_frames().values()):
        time.sleep(0.001)


def _came_from_library(frame):
    while frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code.co_filename == farmtally_ffi.__file__
