"""The package beside its scenarios: what it exports, how a program ends, and the wheel, in an environment with nothing else."""

import asyncio
import inspect
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import farmtally_field
from farmtally_field import ClientConfig, FieldClient, FieldError, Transport
from market import PACKAGE, Keys, Market, Server, examples

# The thread that tells a loop of a finished call leaves Python only when the interpreter is about to end.
SLOW_THREADS = """
import asyncio, sys, threading, time
from farmtally_field import ClientConfig, FieldClient

main_thread = threading.get_ident()
tell = asyncio.BaseEventLoop.call_soon_threadsafe

def tell_slowly(*arguments):
    handle = tell(*arguments)
    if threading.get_ident() != main_thread:
        time.sleep(0.3)
    return handle

class Slow:
    def __del__(self, sleep=time.sleep):
        sleep(0.6)

slow = Slow()
asyncio.BaseEventLoop.call_soon_threadsafe = tell_slowly

async def main():
    async with await FieldClient.open(ClientConfig(data_dir=sys.argv[1])):
        pass

asyncio.run(main())
"""


class Package(unittest.TestCase):
    def test_what_is_watched_is_a_read_with_the_same_arguments(self):
        # How far a sync is comes with the events, there is no read of it.
        watches = [name for name in vars(FieldClient) if name.startswith("watch_") and name != "watch_sync_progress"]
        self.assertGreater(len(watches), 9)
        for name in watches:
            watch, read = getattr(FieldClient, name), getattr(FieldClient, name[len("watch_") :])
            self.assertTrue(inspect.iscoroutinefunction(read))
            self.assertEqual(list(inspect.signature(watch).parameters), list(inspect.signature(read).parameters))

    def test_the_package_exports_no_plumbing(self):
        for name in farmtally_field.__all__:
            self.assertFalse(name.startswith("_") or name.endswith(("Protocol", "Impl")), name)
            self.assertTrue(hasattr(farmtally_field, name), name)

    def test_app_code_that_is_cancelled_or_wrong_is_an_error(self):
        class Unprintable(Exception):
            def __str__(self):
                raise RuntimeError

        class OddKeys(Keys):
            async def load(self):
                raise self.key

        class OddCarrier(Transport):
            def __init__(self, error):
                self.error = error

            async def send(self, request):
                raise self.error

        class Answers(Transport):
            async def send(self, request):
                return b"no response"

        odd = (asyncio.CancelledError(), GeneratorExit(), Unprintable(), ValueError("odd"))

        async def tries():
            with tempfile.TemporaryDirectory(prefix="farmtally-") as folder:
                config = ClientConfig(data_dir=folder)
                for keys in (*map(OddKeys, odd), Keys("a" * 32)):
                    with self.assertRaises(FieldError.KeyNeeded) as caught:
                        await asyncio.wait_for(FieldClient.open(config, keys), 10)
                    self.assertEqual(caught.exception.code, "key_unavailable")
                for transport in (*map(OddCarrier, odd), Answers()):
                    async with await FieldClient.open(config, transport=transport) as client:
                        with self.assertRaises(FieldError.Unavailable):
                            await asyncio.wait_for(client.enrol("http://127.0.0.1:1", "ABCD-EFGH-IJKL-MNOP", "phone"), 10)

        asyncio.run(tries())

    def test_a_program_ends_in_peace_right_after_its_client(self):
        with tempfile.TemporaryDirectory(prefix="farmtally-") as folder:
            ran = subprocess.run([sys.executable, "-c", SLOW_THREADS, folder], capture_output=True, text=True)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))


class Wheel(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="farmtally-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.python = self.folder / "venv" / "bin" / "python"

    def run_here(self, *command):
        # Nothing of the source tree on the path.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)

    def needs(self, done, what, *signs):
        """Skips if the output shows that this machine has not what is needed, and fails if it shows anything else."""
        output = done.stdout + done.stderr
        if done.returncode != 0 and any(sign in output for sign in signs):
            self.skipTest(what)
        self.assertEqual(done.returncode, 0, output)

    def pip(self, *arguments):
        return self.run_here(self.python, "-m", "pip", "--disable-pip-version-check", *arguments)

    def test_the_example_runs_from_an_installed_wheel(self):
        made = self.run_here(sys.executable, "-m", "venv", self.folder / "venv")
        self.needs(made, "no wheel was tried: this Python cannot make a venv", "ensurepip is not available", "No module named")

        # The build leaves files beside its sources.
        ignored = shutil.ignore_patterns("tests", "__pycache__", "build", "*.egg-info")
        shutil.copytree(PACKAGE, self.folder / "source", ignore=ignored)
        built = self.pip("--retries", "1", "wheel", "--no-deps", "--wheel-dir", self.folder, self.folder / "source")
        signs = ("No matching distribution found for setuptools", "Could not find a version that satisfies the requirement setuptools")
        self.needs(built, "no wheel was tried: setuptools, which builds it, could not be fetched", *signs)
        [wheel] = self.folder.glob("*.whl")
        self.assertRegex(wheel.name, r"^farmtally_field-\d+\.\d+\.\d+-py3-none-(linux|macosx)_\w+\.whl$")
        shutil.rmtree(self.folder / "source")

        installed = self.pip("install", "--no-index", "--no-deps", wheel)
        self.assertEqual(installed.returncode, 0, installed.stderr)
        server = Server().start()
        self.addCleanup(server.close)
        code = Market(server).code("Asha", "clerk")
        [example] = [it for it in examples() if "asyncio.run" in it]
        (self.folder / "example.py").write_text(example)
        ran = self.run_here(self.python, "example.py", self.folder / "phone", server.url, code)
        self.assertEqual((ran.returncode, ran.stdout, ran.stderr), (0, "39000 g net, sync complete\n", ""))


if __name__ == "__main__":
    unittest.main()
