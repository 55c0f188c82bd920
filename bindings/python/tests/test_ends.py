"""How programs, event loops and forked processes end around calls: each in a process of its own, which must end with 0 and print nothing."""

import subprocess
import sys
import tempfile
import textwrap
import unittest

# A phone that is not enrolled, and a server that never answers.
START = """
import asyncio, atexit, gc, os, signal, socket, sys, threading
{before}
from farmtally_field import ClientConfig, FieldClient, FieldError, KeyStore, Transport

silent = socket.create_server(("127.0.0.1", 0))

def opens(name="phone", **more):
    return FieldClient.open(ClientConfig(data_dir=os.path.join(sys.argv[1], name)), **more)

def enrols(client):
    return client.enrol("http://127.0.0.1:%d" % silent.getsockname()[1], "ABCD-EFGH-IJKL-MNOP", "phone")

def starts(coroutine):
    thread = threading.Thread(target=asyncio.run, args=(coroutine,), daemon=True)
    thread.start()
    return thread

class Silent(Transport, KeyStore):
    def __init__(self):
        self.asked = threading.Event()

    async def send(self, request):
        self.asked.set()
        await asyncio.Event().wait()

    async def load(self):
        await self.send(None)
"""


class Ends(unittest.TestCase):
    def program(self, source, before=""):
        """Runs the program to its end, and returns what it printed."""
        with tempfile.TemporaryDirectory(prefix="farmtally-") as folder:
            command = [sys.executable, "-c", START.format(before=before) + textwrap.dedent(source), folder]
            ran = subprocess.run(command, capture_output=True, text=True, timeout=100)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        return ran.stdout.split()

    def test_a_program_ends_while_its_threads_call(self):
        self.program("""
            all_call = threading.Barrier(9)

            async def works(name):
                client = await opens(name)
                await client.sync_status()
                await asyncio.to_thread(all_call.wait)
                while True:
                    await client.sync_status()

            for number in range(8):
                starts(works(f"phone-{number}"))
            all_call.wait()
        """)

    def test_a_program_ends_while_the_transport_of_the_app_is_asked(self):
        for _ in range(5):
            self.program("""
                is_listening = threading.Event()

                async def listens(client):
                    async for status in client.watch_sync_status():
                        is_listening.set()

                async def works():
                    client = await opens(transport=Silent())
                    await asyncio.gather(enrols(client), listens(client))

                starts(works())
                is_listening.wait()
            """)

    def test_a_program_ends_while_its_key_store_is_asked(self):
        for _ in range(5):
            self.program("""
                app = Silent()

                async def works():
                    opening = asyncio.ensure_future(opens(key_store=app))
                    await asyncio.to_thread(app.asked.wait)
                    # Until the thread of the library sleeps.
                    await asyncio.sleep(0.1)

                asyncio.run(works())
            """)

    def test_a_program_that_is_interrupted_ends_while_its_transport_is_asked(self):
        self.program("""
            app = Silent()
            # A shell starts jobs in the background with the signal ignored.
            signal.signal(signal.SIGINT, signal.default_int_handler)

            async def works():
                client = await opens(transport=app)
                asyncio.get_running_loop().run_in_executor(None, lambda: app.asked.wait() and os.kill(os.getpid(), signal.SIGINT))
                await enrols(client)

            try:
                asyncio.run(works())
            except KeyboardInterrupt:
                pass
        """)

    def test_loops_that_are_closed_with_calls_in_them_print_nothing(self):
        self.program("""
            client = asyncio.run(opens())

            async def begins():
                calls = [asyncio.ensure_future(client.sync_status()) for _ in range(4)]
                await asyncio.sleep(0)
                return calls

            for _ in range(500):
                loop = asyncio.new_event_loop()
                for call in loop.run_until_complete(begins()):
                    # What asyncio itself says about such calls.
                    call._log_destroy_pending = False
                loop.close()
            gc.collect()
            asyncio.run(client.sync_status())
        """)

    def test_a_loop_that_ends_while_its_transport_is_asked_keeps_nobody_waiting(self):
        self.program("""
            class Again(Silent):
                async def send(self, request):
                    raise OSError("no network")

            async def gives_up(number):
                client = await opens(f"phone-{number}", transport=Silent())
                asyncio.ensure_future(enrols(client))
                for _ in range(number % 4):
                    await asyncio.sleep(0)

            async def tries():
                async with await opens(transport=Again()) as client:
                    try:
                        await asyncio.wait_for(enrols(client), 30)
                    except FieldError.Unavailable:
                        pass

            for number in range(40):
                asyncio.run(gives_up(number))
            # Two calls at a time may wait for the network.
            asyncio.run(tries())
        """)

    def test_clients_with_a_transport_are_used_from_several_loops(self):
        self.program("""
            app, ends = Silent(), threading.Event()

            async def carries():
                client = await opens(transport=app)
                call = asyncio.ensure_future(enrols(client))
                await asyncio.to_thread(ends.wait)

            async def works():
                async with await opens("other") as client:
                    await client.sync_status()

            carrying = starts(carries())
            app.asked.wait()
            asyncio.run(works())
            ends.set()
            # Python 3.11 itself may crash if it ends while a loop of another thread closes.
            carrying.join()
        """)

    def test_a_forked_process_is_refused_and_disturbs_nobody(self):
        printed = self.program("""
            async def is_refused(call):
                try:
                    await call
                except FieldError.Refused as error:
                    print(error.code)

            client = asyncio.run(opens())
            if os.fork() == 0:
                signal.alarm(60)
                asyncio.run(is_refused(client.sync_status()))
                asyncio.run(is_refused(opens("other")))
                del client
            else:
                _, status = os.wait()
                asyncio.run(client.sync_status())
                print(status)
        """)
        self.assertEqual(printed, ["not_allowed", "not_allowed", "0"])

    def test_a_process_that_is_forked_before_the_first_call_may_call(self):
        self.program("""
            if os.fork() == 0:
                asyncio.run(opens())
            else:
                _, status = os.wait()
                assert status == 0
        """)

    def test_functions_registered_with_atexit_may_call_until_the_package_ends(self):
        before = """
async def is_refused():
    try:
        await client.sync_status()
    except FieldError.ShutDown as error:
        print(error.code)

atexit.register(lambda: asyncio.run(is_refused()))
"""
        program = """
            client = asyncio.run(opens())

            async def closes():
                await client.sync_status()
                print("called")

            atexit.register(lambda: asyncio.run(closes()))
        """
        self.assertEqual(self.program(program, before), ["called", "shut_down"])


if __name__ == "__main__":
    unittest.main()
