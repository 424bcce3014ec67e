"""
How long the page of a large report takes: python benchmarks/page.py [cases]

Makes a report of that many cases, 2,000 unless told, each with an exchange of its own, renders it, and opens
it in headless Chromium (Debian's chromium and chromium-driver). It shall open within 2 s and weigh under 10 MB.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import harness

from conformance.report import page

RUNS = 5
TIMES = "const t = performance.getEntriesByType('navigation')[0]; return [t.domInteractive, t.loadEventEnd]"


def large(count):
    """The report of a full Sendcloud run, with cases repeated or left out until there are ``count``."""
    made = harness.report(harness.run("SC-051", provider="sendcloud"))
    rows = [(row, case) for row in made["requirements"] for case in row["cases"] if case["exchange_ids"]]
    for at in range(count - len(rows)):
        requirement, case = rows[at]
        exchange = made["exchanges"][case["exchange_ids"][0]]
        made["exchanges"][f"y{at}"] = exchange
        requirement["cases"].append(case | {"id": f"{case['id']}.{at}", "exchange_ids": [f"y{at}"]})
    return made


def main(count):
    made = large(count)
    started = time.perf_counter()
    html = page.render(made)
    print(f"rendered in {time.perf_counter() - started:.2f} s, {len(html.encode()) / 1e6:.1f} MB")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    with tempfile.TemporaryDirectory() as folder:
        for each in ("headless=new", "no-sandbox", "disable-gpu", "disable-background-networking", "disable-sync"):
            options.add_argument(f"--{each}")
        options.add_argument(f"--user-data-dir={folder}/profile")
        Path(folder, "report.html").write_text(html, encoding="utf-8")
        driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        try:
            found = []
            for _ in range(RUNS):
                driver.get(Path(folder, "report.html").as_uri())
                found.append(driver.execute_script(TIMES))
            elements = driver.execute_script("return document.querySelectorAll('*').length")
        finally:
            driver.quit()
    for name, values in zip(("interactive", "loaded"), zip(*found, strict=True), strict=True):
        print(f"{name:<12} median {statistics.median(values) / 1000:.2f} s, worst {max(values) / 1000:.2f} s")
    print(f"{elements:,} elements")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
