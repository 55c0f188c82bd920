"""A server process, a market on it, and people with phones."""

import asyncio
import dataclasses
import json
import os
import re
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request
from pathlib import Path

import farmtally_field
from farmtally_field import (
    ClientConfig,
    Contact,
    DraftEdit,
    FieldClient,
    KeyStore,
    KeyStoreError,
    OpenLoad,
    Reason,
    StartDraft,
    Transport,
    TransportError,
    WireResponse,
)

# Generated records say all in `str` and nothing in `repr`, which is what a failed assertion prints.
for generated in vars(farmtally_field).values():
    if dataclasses.is_dataclass(generated):
        generated.__repr__ = generated.__str__

PACKAGE = Path(__file__).parent.parent

MISTYPED = Reason(code="mistyped")

REFERENCE = {
    "centres": [{"code": "KOLAR", "name": "Kolar"}, {"code": "MALUR", "name": "Malur"}],
    "commodities": [{"code": "TOMATO", "name": "Tomato"}],
    "seasons": [{"code": "ALL", "commodity": "TOMATO", "from": "2020-01-01", "to": "2099-12-31"}],
    "lorries": [{"plate": f"KA07A{number}", "payload_g": 9_000_000} for number in (1111, 2222, 3333)],
    "rule_sets": [
        {
            "number": 1,
            "commodity": "TOMATO",
            "valid_from": "2020-01-01",
            "bag_types": [{"number": 0, "name": "crate", "tare_g": 1_500}, {"number": 1, "name": "sack", "tare_g": 250}],
            "grades": [{"code": "A", "name": "first"}, {"code": "B", "name": "second"}],
            "factors": [{"code": "BROKEN", "name": "broken", "unit": "percent", "limit": 500}],
        }
    ],
    "instruments": [
        {
            "code": "SCALE7",
            "type": "scale",
            "serial": "A-4711",
            "accuracy_class": "III",
            "min_value": 1_000,
            "max_value": 60_000,
            "intervals": [{"up_to_value": 60_000, "interval_value": 20}],
            "certificate": "LM-88",
            "valid_until": "2099-12-31",
        }
    ],
    "paper_books": [{"code": "BOOK17", "centre": "KOLAR", "purpose": "deliveries", "first_serial": 1_001, "last_serial": 1_050}],
}


def examples():
    """The examples of the README."""
    return re.findall(r"```python\n(.*?)```", (PACKAGE / "README.md").read_text(), re.DOTALL)


class Server:
    """The process of a `farmtally-server`, and its command line."""

    def __init__(self):
        self.binary = os.environ["FARMTALLY_SERVER"]
        self.folder = tempfile.TemporaryDirectory(prefix="farmtally-")
        self.path = Path(self.folder.name)
        self.reference = self.path / "reference.json"
        self.reference.write_text(json.dumps(REFERENCE))
        self.process = None
        self.port = 0

    def start(self):
        """Starts the process: on any free port, and after a stop on the same one."""
        if self.port == 0:
            # `serve` refuses a folder without an organisation.
            self.run("org", "create", "Head office", "--country", "IN")
        command = [self.binary, "serve", "--data", self.path / "server", "--port", str(self.port)]
        with open(self.path / "server.log", "a") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            raise AssertionError((self.path / "server.log").read_text())
        self.port = int(self.url.rstrip("/").rpartition(":")[2])
        return self

    def stop(self):
        """Ends the process in order, and waits for its end."""
        self.process.terminate()
        code = self.process.wait(timeout=30)
        self.process.stdout.close()
        assert code == 0, f"the server ended with {code}"

    def close(self):
        """Stops the process and removes all files."""
        if self.process and self.process.poll() is None:
            self.stop()
        self.folder.cleanup()

    def run(self, *command):
        """What a command of the office prints."""
        done = subprocess.run([self.binary, *command, "--data", self.path / "server"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


class Market:
    """An organisation of its own, with the centres KOLAR and MALUR, tomatoes of two grades, crates, sacks, three lorries, a scale and a paper book."""

    def __init__(self, server):
        self.server = server
        self.organisation = server.run("org", "create", "Kolar growers", "--country", "IN", "--same-name", "--reference", str(server.reference))
        self.people = []

    def code(self, name, role, *centres):
        """A code from the office."""
        where = [argument for centre in centres or ["KOLAR"] for argument in ("--centre", centre)]
        return self.server.run("enrol-code", "--org", self.organisation, "--user", name, "--role", role, *where)

    def shares(self, device, name, role):
        """Lets somebody else work at KOLAR on a phone too."""
        self.server.run("grant", "add", "--org", self.organisation, "--device", device, "--user", name, "--role", role, "--centre", "KOLAR")

    async def leases(self, person, amount):
        """Lets somebody pay out this amount, and tells their phone."""
        session = await person.client.session()
        command = ["lease", "--org", self.organisation, "--user", session.user_name, "--phone", session.device_code]
        self.server.run(*command, "--amount", str(amount), "--until", "2099-12-31")
        await person.client.sync()

    def publishes(self, reference):
        """Adds to the reference data."""
        file = self.server.path / f"{self.organisation}.json"
        file.write_text(json.dumps(reference))
        self.server.run("org", "update", "--org", self.organisation, "--reference", str(file))

    async def meets(self, name, key_store=None, transport=None, folder=None):
        """Somebody with a phone that is not enrolled."""
        folder = folder or self.server.path / "phones" / self.organisation / name
        person = Person(folder, await FieldClient.open(ClientConfig(data_dir=str(folder)), key_store, transport))
        self.people.append(person)
        return person

    async def hires(self, name, role, *centres):
        """Somebody with a phone that is enrolled."""
        person = await self.meets(name)
        await person.client.enrol(self.server.url, self.code(name, role, *centres), "test phone")
        return person

    async def close(self):
        """Shuts everybody's phone down."""
        for person in self.people:
            await person.client.shut_down()


class Carrier(Transport):
    """The app's own way to the server."""

    def __init__(self):
        self.sent, self.is_broken = 0, False
        # What comes instead of the server's answer.
        self.status = None
        # Its body.
        self.body = b""

    async def next(self):
        """What each request waits for, from the second one on."""

    async def send(self, request):
        self.sent += 1
        if self.sent > 1:
            await self.next()
        if self.is_broken:
            raise TransportError.NoConnection("no network")
        if self.status is not None:
            return WireResponse(status=self.status, body=self.body)
        return await asyncio.to_thread(self.post, request)

    def post(self, request):
        post = urllib.request.Request(request.url, request.body, request.headers, method=request.method)
        try:
            with urllib.request.urlopen(post) as answer:
                return WireResponse(status=answer.status, body=answer.read())
        except urllib.error.HTTPError as answer:
            return WireResponse(status=answer.code, body=answer.read())


class Keys(KeyStore):
    """A key store in memory."""

    def __init__(self, key=None, is_broken=False):
        self.key = key
        self.is_broken = is_broken

    def __bool__(self):
        """As one that is an empty container; it is still a key store."""
        return False

    async def load(self):
        if self.is_broken:
            raise KeyStoreError.Failed("not unlocked")
        return self.key

    async def save(self, key):
        self.key = key


class Person:
    """Somebody with a phone at KOLAR."""

    def __init__(self, folder, client):
        self.folder = folder
        self.client = client

    async def restarts(self):
        """Closes the app and opens it again."""
        await self.client.shut_down()
        self.client = await FieldClient.open(ClientConfig(data_dir=str(self.folder)))

    async def registers(self, name, village="", phone="", accept=()):
        contact = Contact(name=name, village=village, phone=phone)
        return await self.client.register_farmer("KOLAR", contact, list(accept))

    async def opens(self, lorry):
        return await self.client.open_load(OpenLoad(centre="KOLAR", commodity="TOMATO", lorry=lorry))

    async def begins(self, farmer, *weights, load=None):
        """A draft with these bags."""
        load_id = load.load_id if load else None
        start = StartDraft(centre="KOLAR", commodity="TOMATO", farmer_id=farmer.farmer_id, load_id=load_id)
        draft = await self.client.start_draft(start)
        return await self.client.edit_draft(draft.basis, [DraftEdit.ADD_BAG(weight) for weight in weights])

    async def weighs(self, farmer, *weights, load=None):
        """A recorded delivery with these bags."""
        return await self.client.record_delivery((await self.begins(farmer, *weights, load=load)).basis)

    async def totals(self):
        return (await self.client.today("KOLAR")).sum

    async def inbox(self):
        """What there is to say about each item of the inbox."""
        return [item.kind for item in (await self.client.inbox()).items]

    async def reviews(self):
        """The codes of the reviews in the inbox, sorted."""
        return sorted(it.code for it in await self.inbox() if it.is_REVIEW())

    async def conflicts(self):
        """Field, hardness and number of values of the conflicts in the inbox."""
        conflicts = [it.conflict for it in await self.inbox() if it.is_CONFLICT()]
        return [(it.field, it.is_hard, len(it.values)) for it in conflicts]


class MarketCase(unittest.IsolatedAsyncioTestCase):
    """A test with a market of its own on the server of its class."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.close)
        cls.server.start()

    async def asyncSetUp(self):
        self.market = Market(self.server)
        self.addAsyncCleanup(self.market.close)

    async def refused(self, error, call, **fields):
        """The call fails with this error and these fields."""
        with self.assertRaises(error) as caught:
            await call
        for name, value in fields.items():
            self.assertEqual(getattr(caught.exception, name), value)
