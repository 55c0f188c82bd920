"""Prints a file of ESC/POS commands with the emulator of the package emupos, and writes what came out.

    python print_with_emupos.py JOB WIDTH_DOTS PICTURE

PICTURE is a file of one byte a dot, 0 for black. Printed is JSON: the size of the picture, the text, the commands that the emulator does not
know, and its answers (hexadecimal) to three questions: with paper, without, and with an open cover.
"""

import io
import json
import pathlib
import sys
from pathlib import Path

from emupos import config
from emupos.printer.printer import Printer, PrinterFault
from PIL import Image

QUESTIONS = [b"\x1dr\x01", b"\x10\x04\x04", b"\x10\x04\x02"]


def printer(width_dots):
    profile = config._load_profile("epson-tm-t20iii", "printer", Path("."))
    profile = profile.model_copy(update={"width_dots": width_dots})
    return Printer("printer", profile, sensor_open_level="high", job_idle_timeout_ms=1000)


def answers(width_dots, fault):
    device = printer(width_dots)
    device.open_connection("app", 0.0)
    if fault:
        device.set_fault(fault, True, 0.0)
    return [b"".join(write.data for write in device.receive("app", question, 0.0).writes).hex() for question in QUESTIONS]


job, width, picture = sys.argv[1], int(sys.argv[2]), sys.argv[3]
device = printer(width)
device.open_connection("app", 0.0)
output = device.receive("app", pathlib.Path(job).read_bytes(), 0.0)
output += device.close_connection("app", 1.0)
(receipt,) = output.receipts
image = Image.open(io.BytesIO(receipt.png)).convert("L")
pathlib.Path(picture).write_bytes(image.tobytes())
print(
    json.dumps(
        {
            "size": image.size,
            "text": receipt.text,
            "unknown": [repr(event) for event in output.events if "unknown" in repr(event).lower()],
            "answers": [answers(width, fault) for fault in (None, PrinterFault.PAPER_OUT, PrinterFault.COVER_OPEN)],
        }
    )
)
