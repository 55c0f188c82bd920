"""Sums of a market from raw records, one JSON object a line on stdin, by nothing but the formulas of docs/arithmetic.md."""

import json
import sys
from collections import defaultdict

records = [json.loads(line) for line in sys.stdin]
rules = next(it for it in records if it["kind"] == "rules")
deliveries = sorted((it for it in records if it["kind"] == "delivery"), key=lambda it: it["order"])
loads = {it["id"]: it for it in records if it["kind"] == "load"}
reports = {name: defaultdict(lambda: [0] * 9) for name in ("by_farmer", "by_grade", "by_load", "by_clerk", "by_day")}
moisture, late, acts = defaultdict(lambda: [0] * 3), [], 0
bag_types = defaultdict(list)


def divided(numerator, denominator):
    """Half away from zero; neither is negative."""
    return (2 * numerator + denominator) // (2 * denominator)


for it in deliveries:
    local_day = (it["recorded_ms"] + rules["zone_minutes"] * 60_000) // 86_400_000
    assert it["is_date_amended"] or local_day == it["day"], f"{it} counts on another day than it was recorded"
    weights = [bag["g"] for bag in it["bags"] if not bag["is_voided"]]
    gross, tare = sum(weights), len(weights) * rules["tare_g"]
    reading, target = (it["readings"] or [None])[-1], rules["target"]
    above = max(0, reading - target) if reading is not None else 0
    shrink = min(divided((gross - tare) * above, 10_000 - target), gross - tare)
    net = gross - tare - shrink
    load = loads.get(it["load"])
    keys = {
        "by_farmer": (it["farmer_code"], it["farmer_name"]),
        "by_grade": ("TOMATO", None),
        "by_load": (load["number"], load["lorry"]) if load else (None, None),
        "by_clerk": (it["clerk"],),
        "by_day": (it["date"],),
    }
    counts = [0, 1] + [0] * 7 if it["is_voided"] else [1, 0, len(weights), gross, tare, 0, shrink, 0, net]
    for name, key in keys.items():
        reports[name][key] = [a + b for a, b in zip(reports[name][key], counts)]
    acts += it["acts"]
    if not it["is_voided"]:
        bag_types["TOMATO", 0] += [bag for bag in it["bags"] if not bag["is_voided"]]
        bracket = (None, None) if reading is None else (reading // 100 * 100, reading // 100 * 100 + 100)
        if weights:
            moisture["TOMATO", *bracket] = [a + b for a, b in zip(moisture["TOMATO", *bracket], (1, gross, net))]
        if load and load["is_shut"] and it["id"] not in load["manifest"]:
            late.append(it["receipt"])

rows = {name: [[*key, *counts] for key, counts in groups.items()] for name, groups in reports.items()}
rows["top_farmers"] = sorted((it for it in rows["by_farmer"] if it[2]), key=lambda row: -row[-1])[: rules["top"]]
rows["moisture"] = [[*key, *counts] for key, counts in moisture.items()]
rows["bags"] = [
    [*key, len(bags), sum(g), min(g), max(g), divided(sum(g), len(g)), *(sum(it["source"] == n for it in bags) for n in range(4))]
    for key, bags in bag_types.items()
    for g in [[it["g"] for it in bags]]
]
rows["late_deliveries"], rows["amendments"] = sorted(late), acts
print(json.dumps(rows))
