"""Calls between Python and the library that survive the end of their event loop, of the program, and a fork.

Replaces three functions of the generated module. Those call an event loop that may be closed, never answer the library if app code did not get to
run, and let threads of the library enter an interpreter that has ended, which aborts the process.
"""

import asyncio
import atexit
import ctypes
import itertools
import os
import sys
import threading
import time
import weakref

from .generated import farmtally_ffi
from .generated.farmtally_ffi import FieldError, KeyStoreError, PrinterError, TransportError

_READY = farmtally_ffi._UNIFFI_RUST_FUTURE_POLL_READY
# What an error of app code is for the library that is not one of its own.
_FAILED = {KeyStoreError: KeyStoreError.Failed, PrinterError: PrinterError.Disconnected, TransportError: TransportError.Failed}
_OVER = "the event loop or the program has ended"
_numbers = itertools.count(1)

# Held while a future of the library is polled, taken or freed. Reentrant: the garbage collector may end a call at any point.
_lock = threading.RLock()
# Futures of the library, each with the function that frees it. By number, because the library gives the handle of a freed future to another.
_running = {}
# Polls that the library has not answered yet: the asyncio future that waits for the answer. The library answers each exactly once.
_polls = {}
# Calls of app code whose future the library has not dropped yet.
_requests = {}
# Open clients that have a transport of the app.
_served = weakref.WeakSet()

# Only `_end` may still call the library, and app code is not called any more.
_is_ending = False
# Nobody may call the library any more.
_has_ended = False
# The library was used before this process was forked; its threads were left behind.
_is_forked = False


# --- calls of the library ---------------------------------------------------------------------------------------------


async def _await_rust(rust_future, poll, complete, free, lift, error_converter):
    """Awaits a future of the library."""
    if _is_forked:
        raise FieldError.Refused("not_allowed", "the library was used before os.fork(): start this process with spawn, or use it only here")
    _fail_requests(lambda request: request.loop.is_closed())
    call = next(_numbers)
    with _lock:
        if not _has_ended and not (_is_ending and _is_other_thread()):
            _running[call] = rust_future, free
    try:
        while await _polled(call, poll) != _READY:
            pass
        with _lock:
            is_running = _running.pop(call, None) is not None
        if not is_running:
            await _end_of_program()
        try:
            return lift(farmtally_ffi._uniffi_rust_call_with_error(error_converter, complete, rust_future))
        finally:
            free(rust_future)
    finally:
        with _lock:
            if call in _running:
                _free(call)


async def _polled(call, poll):
    waiting = asyncio.get_running_loop().create_future()
    with _lock:
        is_running = call in _running
        if is_running:
            number = next(_numbers)
            _polls[number] = waiting
            rust_future, _ = _running[call]
            poll(rust_future, _continue, number)
    if not is_running:
        await _end_of_program()
    return await waiting


def _free(call):
    rust_future, free = _running.pop(call)
    free(rust_future)


async def _end_of_program():
    """Raises an error for functions registered with atexit. Waits forever on another thread, which the interpreter ends with the process: there an
    error would only be printed."""
    if _is_other_thread():
        waiting = asyncio.get_running_loop().create_future()
        # Never freed, because freeing a task that waits for it prints a message.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(waiting))
        await waiting
    raise FieldError.ShutDown("shut_down", "the program is ending")


def _is_other_thread():
    return threading.current_thread() is not threading.main_thread()


@farmtally_ffi._UNIFFI_RUST_FUTURE_CONTINUATION_CALLBACK
def _continue(number, code):
    waiting = _polls.pop(number)
    _tell(waiting.get_loop(), _set_result, waiting, code)


def _set_result(waiting, code):
    if not waiting.done():
        waiting.set_result(code)


def _tell(loop, function, *arguments):
    """Calls a function in a loop; returns False if the loop is closed."""
    try:
        loop.call_soon_threadsafe(function, *arguments)
    except RuntimeError:
        return False
    return True


# --- calls of app code ------------------------------------------------------------------------------------------------


class _Request:
    """A call of app code that the library waits for; answered once, also if its loop ends before."""

    def __init__(self, succeed, fail, error_type, lower_error):
        self._answers = [(succeed, fail)]
        self._error_type = error_type
        self._lower_error = lower_error
        self.loop = self.task = None
        self.is_dropped = False

    def succeed(self, value):
        for succeed, fail in self._taken():
            try:
                succeed(value)
            except Exception as error:
                self._fail(fail, error)

    def fail(self, error):
        for _, fail in self._taken():
            self._fail(fail, error)

    def _taken(self):
        # Another thread may answer at the same time.
        try:
            return [self._answers.pop()]
        except IndexError:
            return []

    def _fail(self, fail, error):
        if not isinstance(error, self._error_type):
            error = _FAILED[self._error_type](_said(error))
        fail(farmtally_ffi._UniffiRustCallStatus.CALL_ERROR, self._lower_error(error))

    def start(self, function):
        """Runs app code, in its loop."""
        running = self._run(function)
        self.task = asyncio.ensure_future(running)
        # A loop may end before its last tasks, which nobody needs to know.
        self.task._log_destroy_pending = False
        weakref.finalize(self.task, running.close).atexit = False
        if self.is_dropped:
            self.task.cancel()

    async def _run(self, function):
        try:
            self.succeed(await function())
        except (KeyboardInterrupt, SystemExit) as error:
            self.fail(error)
            raise
        except BaseException as error:
            self.fail(error)

    def drop(self):
        self.is_dropped = True
        if self.task is not None:
            _tell(self.loop, self.task.cancel)


def _serve(make_call, out_dropped, succeed, fail, error_type, lower_error):
    """Starts a call of app code, on a thread of the library; `make_call` returns the loop and the coroutine function to run there."""
    request = _Request(succeed, fail, error_type, lower_error)
    number = next(_numbers)
    _requests[number] = request
    out_dropped[0] = farmtally_ffi._UniffiForeignFutureDroppedCallbackStruct(number, _drop)
    try:
        request.loop, function = make_call()
        # Looked at after the request was listed, so that either this or `_end` sees the other.
        if _is_ending or not _tell(request.loop, request.start, function):
            request.fail(_OVER)
    except Exception as error:
        request.fail(error)


@farmtally_ffi._UNIFFI_FOREIGN_FUTURE_DROPPED_CALLBACK
def _drop(number):
    _requests.pop(number).drop()


def _fail_requests(is_over):
    """Answers what a loop that has ended will never answer."""
    for request in list(_requests.values()):
        if request.loop is not None and is_over(request):
            request.fail(_OVER)


def _said(error):
    """Returns the text of any exception, whose own text may raise."""
    if isinstance(error, str):
        return error
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__


# --- the end of the process -------------------------------------------------------------------------------------------


@atexit.register
def _end():
    """Ends all calls, and waits until no thread of the library is in Python or will enter it; the interpreter would end such a thread, and that
    aborts the process. Does not wait for the network."""
    global _is_ending, _has_ended
    if _is_forked:
        return
    with _lock:
        _is_ending = True
        while _running:
            _free(next(iter(_running)))
    _fail_requests(lambda _: True)
    if served := list(_served):
        asyncio.run(_shut_down(served))
    _has_ended = True
    kinds = (farmtally_ffi._UniffiFfiConverterTypeKeyStore, farmtally_ffi._UniffiFfiConverterTypePrinter, farmtally_ffi._UniffiFfiConverterTypeTransport)
    while _polls or _requests or any(len(kind._handle_map) for kind in kinds) or _is_inside():
        time.sleep(0.001)


async def _shut_down(clients):
    await asyncio.gather(*[client.shut_down() for client in clients], return_exceptions=True)


def _is_inside():
    """Returns whether a thread of the library is in Python."""
    return any(_came_from_library(frame) for thread, frame in sys._current_frames().items() if thread != threading.get_ident())


def _came_from_library(frame):
    while frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code.co_filename in (__file__, farmtally_ffi.__file__)


def _after_fork():
    global _lock, _is_forked
    _lock = threading.RLock()
    # A process that only imported the package has no threads to lose.
    _is_forked = next(_numbers) > 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

farmtally_ffi._uniffi_rust_call_async = _await_rust
farmtally_ffi._uniffi_trait_interface_call_async_with_error = _serve


def is_forked():
    """Returns whether this process was forked from one that had used the library."""
    return _is_forked


def serve(client):
    """Lists an open client that has a transport of the app."""
    _served.add(client)
