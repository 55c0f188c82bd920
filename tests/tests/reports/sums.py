"""Sums of a market from raw records, one JSON object a line on stdin, by nothing but docs/arithmetic.md and docs/records.md."""

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


def added(into, key, counts):
    into[key] = [a + b for a, b in zip(into[key], counts)]


def weights(it, grade):
    """Reading, then bags, gross, tare, quality, moisture, allowance and net of one grade."""
    bags = [bag["g"] for bag in it["bags"] if not bag["is_voided"] and bag["grade"] == grade]
    gross = sum(bags) + sum(lot["g"] - lot["vehicle_g"] for lot in it["lots"] if lot["grade"] == grade)
    count = len(bags) + sum(count["count"] for count in it["counts"] if count["grade"] == grade)
    tare = min(count * rules["tare_g"], gross)
    own = [r["value"] for r in it["readings"] if r["grade"] == grade] or [r["value"] for r in it["readings"] if not r["grade"]]
    reading = own[-1] if own else None
    shrink = divided((gross - tare) * max(0, (reading or 0) - rules["target"]), 10_000 - rules["target"])
    return reading, [count, gross, tare, 0, shrink, 0, gross - tare - shrink]


def grades_of(it):
    return {part["grade"] for part in [bag for bag in it["bags"] if not bag["is_voided"]] + it["lots"] + it["counts"]}


for it in deliveries:
    local_day = (it["recorded_ms"] + rules["zone_minutes"] * 60_000) // 86_400_000
    assert it["is_date_amended"] or local_day == it["day"], f"{it} counts on another day than it was recorded"
    counted = [bag for bag in it["bags"] if not bag["is_voided"]]
    grades = {grade: weights(it, grade) for grade in grades_of(it)}
    load, total = loads.get(it["load"]), [sum(column) for column in zip([0] * 7, *(w for _, w in grades.values()))]
    sums = lambda weight: [0, 1] + [0] * 7 if it["is_voided"] else [1, 0, *weight]
    added(reports["by_farmer"], (it["farmer_code"], it["farmer_name"]), sums(total))
    added(reports["by_load"], (load["number"], load["lorry"]) if load else (None, None), sums(total))
    added(reports["by_clerk"], (it["clerk"],), sums(total))
    added(reports["by_day"], (it["date"],), sums(total))
    for grade, (reading, weight) in (grades or {None: (None, [0] * 7)}).items():
        added(reports["by_grade"], ("TOMATO", grade), sums(weight))
        if grades and not it["is_voided"]:
            bracket = (None, None) if reading is None else (reading // 100 * 100, reading // 100 * 100 + 100)
            added(moisture, ("TOMATO", *bracket), (1, weight[1], weight[-1]))
    acts += it["acts"]
    if not it["is_voided"]:
        bag_types["TOMATO", 0] += counted
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
today = rules["today"]
advances = {it["id"]: dict(it, left=it["amount"]) for it in records if it["kind"] == "advance" and not it["is_withdrawn"]}
for it in advances.values():
    if it["of"] in advances:
        advances[it["of"]]["left"] -= it["amount"]
farmers = defaultdict(list)
for it in advances.values():
    if it["of"] is None and it["left"] > 0:
        farmers[it["farmer_code"], it["farmer_name"]].append(it)
rows["advances"] = [
    [*key, len(open_), sum(it["left"] for it in open_), min((it["day"], it["date"]) for it in open_)[1]]
    + [sum(it["left"] for it in open_ if first <= max(0, today - it["day"]) <= last) for first, last in ((0, 30), (31, 60), (61, 90), (91, 10**9))]
    for key, open_ in farmers.items()
]
cash = defaultdict(list)
for it in records:
    if it["kind"] == "advance" and not it["is_withdrawn"] and it["in_cash"]:
        cash[it["clerk"]].append((it, "on_account" if it["is_on_account"] else "advance", -it["amount"]))
    if it["kind"] == "movement" and not it["is_withdrawn"]:
        cash[it["from"]].append((it, "given", -it["amount"]))
        if it["is_confirmed"]:
            cash[it["to"]].append((it, "received", it["amount"]))
    if it["kind"] == "count" and not it["is_withdrawn"]:
        cash[it["clerk"]].append((it, "count", None))
rows["cash_book"] = []
for clerk, entries in cash.items():
    balance, lines = 0, []
    for it, line, change in sorted(entries, key=lambda entry: (entry[0]["day"], entry[0]["made"], entry[0]["id"])):
        change = it["amount"] - balance if change is None else change
        balance += change
        lines.append([clerk, it["date"], line, change, balance, it["id"]])
    rows["cash_book"] += [[clerk, None, "opening", None, 0, None], *lines, [clerk, None, "closing", None, balance, None]]
rows["missing_serials"] = []
for book, first, last in rules["books"]:
    used = {it["form"][1] for it in deliveries if it["form"] and it["form"][0] == book and first <= it["form"][1] <= last}
    run = []
    for serial in range(first, max(used, default=first) + 1):
        if serial not in used:
            run.append(serial)
        elif run:
            rows["missing_serials"].append(["KOLAR", book, "deliveries", run[0], run[-1], len(run)])
            run = []
waiting = [(it, [sum(c) for c in zip([0] * 7, *(weights(it, g)[1] for g in grades_of(it)))]) for it in deliveries if not it["is_voided"] and not loads.get(it["load"])]
rows["stock"] = [["KOLAR", "TOMATO", len(waiting), *(sum(w[n] for _, w in waiting) for n in (0, 1, 6)), min((it["day"], it["date"]) for it, _ in waiting)[1]]]
on = lambda load: [row for row in rows["by_load"] if row[0] == load["number"]] or [[None] * 4 + [0] * 2]
rows["utilisation"] = [
    [it["number"], it["lorry"], on(it)[0][4], on(it)[0][5], it["payload_g"], divided(on(it)[0][5] * 10_000, it["payload_g"])]
    for it in loads.values()
]
rows["late_deliveries"], rows["amendments"] = sorted(late), acts
print(json.dumps(rows))
