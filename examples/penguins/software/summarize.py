"""Summarize penguin measurements: count, mean and sample standard deviation per species, island and sex.

Usage: python3 summarize.py PENGUINS.CSV SUMMARY.CSV

Rows without a measurement are left out of that measurement's figures; rows without a sex are grouped as NA.
"""

import csv
import math
import sys
from collections import defaultdict

GROUP = ("species", "island", "sex")
MEASUREMENTS = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")
MISSING = "NA"


def mean(values):
    return math.fsum(values) / len(values)


def deviation(values):
    """Sample standard deviation (n - 1), or None for a single value."""
    if len(values) < 2:
        return None
    center = mean(values)
    return math.sqrt(math.fsum((value - center) ** 2 for value in values) / (len(values) - 1))


def summarize(rows):
    groups = defaultdict(lambda: {name: [] for name in MEASUREMENTS})
    counts = defaultdict(int)
    for row in rows:
        key = tuple(row[name] for name in GROUP)
        counts[key] += 1
        for name in MEASUREMENTS:
            if row[name] != MISSING:
                groups[key][name].append(float(row[name]))
    for key in sorted(counts):
        line = dict(zip(GROUP, key, strict=True), n=counts[key])
        for name in MEASUREMENTS:
            values = groups[key][name]
            line[f"{name}_mean"] = f"{mean(values):.6f}" if values else MISSING
            spread = deviation(values) if values else None
            line[f"{name}_sd"] = f"{spread:.6f}" if spread is not None else MISSING
        yield line


def main(source, target):
    with open(source, newline="", encoding="utf-8") as file:
        lines = list(summarize(csv.DictReader(file)))
    with open(target, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    print(f"{len(lines)} groups")


if __name__ == "__main__":
    main(*sys.argv[1:])
