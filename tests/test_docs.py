"""What README and documentation name exists: links, anchors, commands, options; and the site holds every page."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import click
import pytest
import yaml
from markdown.extensions.toc import slugify

from conformance.cli import cli
from conformance.plugins.options import OPTIONS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
TEXTS = [ROOT / "README.md", *PAGES]

_LINK = re.compile(r"\]\((?!https?://)([^()\s]+)\)")
_COMMAND = re.compile(r"(?<![\w./-])conformance (--?[a-z]+|[a-z]+)((?:(?! conformance )[^\n`|#])*)")
_OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]+)")
# Options of the tools that stand beside ours: pytest and its plugins, the project's own scripts, others' programs.
OTHERS = {
    "collect-only", "ff", "junitxml", "lf", "markers", "maxfail", "runxfail", "tb", "xfail-tb",  # pytest
    "write", "share", "help",  # python -m conformance.reference.detection, tests/trouble.py
    "faults", "examples", "rm",  # benchmarks/detection.py, docker
    "strict", "extra-index-url", "errors", "data-raw", "data-binary",  # mkdocs, pip, prism, curl
}  # fmt: skip


def _name(path):
    return str(path.relative_to(ROOT))


@pytest.fixture(params=TEXTS, ids=_name)
def text(request):
    return request.param


@cache
def _prose(path):
    """A page without its code, where headings and links are what they look like."""
    return re.sub(r"(?ms)^```.*?^```$", "", path.read_text(encoding="utf-8"))


@cache
def _anchors(path):
    """The anchors of a page, as its headings make them."""
    found = []
    for title in re.findall(r"(?m)^#{1,6} (.+)$", _prose(path)):
        anchor = slugify(re.sub(r"[`*]|\]\([^)]*\)|\[", "", title), "-")
        found.append(f"{anchor}_{found.count(anchor)}" if anchor in found else anchor)
    return found


def test_links_lead_somewhere(text):
    for link in _LINK.findall(_prose(text)):
        name, _, anchor = link.partition("#")
        target = (text.parent / name).resolve() if name else text
        assert target.exists(), f"{link}: there is no such file"
        assert not anchor or anchor in _anchors(target), f"{link}: there is no such heading"


def test_pages_of_the_site_link_to_pages_of_the_site():
    """Beyond docs/ there is nothing in the built site."""
    for page in PAGES:
        for link in _LINK.findall(_prose(page)):
            target = (page.parent / link.partition("#")[0]).resolve()
            assert target.is_relative_to(DOCS), f"{_name(page)}: {link}"


def _known():
    """Every option of every command and of the plugin."""
    commands = [each for command in cli.commands.values() for each in _with_inner(command)]
    names = {name for each in commands for option in each.params for name in (*option.opts, *option.secondary_opts)}
    ours = {f"--{each.name}" for each in OPTIONS} | {f"--conformance-{each.name}" for each in OPTIONS}
    return names | ours | {"--version"}


def _with_inner(command):
    inner = command.commands.values() if isinstance(command, click.Group) else ()
    return [command, *(below for each in inner for below in _with_inner(each))]


def test_commands_that_are_named_exist(text):
    """After ``conformance`` in code comes a command, and its options are its own."""
    for code in _code(text):
        for word, rest in _COMMAND.findall(code):
            if word.startswith("-"):
                continue
            assert word in cli.commands, f"conformance {word}"
            command = _with_inner(cli.commands[word])
            own = {
                name for each in command for option in each.params for name in (*option.opts, *option.secondary_opts)
            }
            given = {f"--{each}" for each in _OPTION.findall(re.split(r"&&|;|\|\|", rest)[0])}
            assert given <= own | {"--help"}, f"conformance {word}{rest}"


def test_options_that_are_named_exist(text):
    known = _known() | {f"--{each}" for each in OTHERS}
    named = {f"--{each}" for code in _code(text) for each in _OPTION.findall(code)}
    assert named <= known | {"--conformance-"}


def _code(path):
    """The code of a page, with commands of several lines as one."""
    page = path.read_text(encoding="utf-8").replace("\\\n", " ")
    fences = re.findall(r"(?ms)^```(?:console|bash|yaml|text)[^\n]*\n(.*?)^```$", page)
    return [*fences, *re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```$", "", page))]


def test_every_page_is_found_in_the_navigation_once():
    listed = list(_pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]))
    assert sorted(listed) == sorted(str(each.relative_to(DOCS)) for each in PAGES)


def _pages(entries):
    for entry in entries:
        for each in entry.values() if isinstance(entry, dict) else [entry]:
            yield from _pages(each) if isinstance(each, list) else [each]


def test_reference_pages_say_what_the_code_says():
    """A new option or command fails here until ``python docs/make_reference.py`` was run."""
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    for name, page in made.PAGES_MADE.items():
        assert (DOCS / "reference" / name).read_text(encoding="utf-8") == page(), (
            f"run: python docs/make_reference.py ({name})"
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site as the build makes it, with warnings as errors."""
    folder = tmp_path_factory.mktemp("built") / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_site_needs_nothing_from_elsewhere(site):
    """No page names a script, style, picture or font of another host; links to read are no such thing."""
    for page in site.rglob("*.html"):
        markup = page.read_text(encoding="utf-8")
        loads = re.findall(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"?(https?:[^\s\">]+|//[^\s\">]+)", markup)
        loads += [each for each in re.findall(r"<link\b[^>]*>", markup) if re.search(r"href=\"?(https?:)?//", each)]
        assert not loads, f"{page.name}: {loads}"
    for style in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*[\"']?(https?:)?//", style.read_text(encoding="utf-8")), style.name


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (binary and driver):
        pytest.skip("no Chromium here: apt-get install chromium chromium-driver")
    with _browser(binary, driver, tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def test_the_site_opens_from_a_disk_and_can_be_searched_there(site, browser):
    """In a real browser: the search finds a page, no request leaves, and nothing is complained about."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get((site / "index.html").as_uri())
    field = browser.find_element(By.CSS_SELECTOR, "input[name=query]")
    field.click()
    field.send_keys("preflight")
    WebDriverWait(browser, 20).until(lambda page: page.find_elements(By.CSS_SELECTOR, ".md-search-result__item"))
    found = [each.get_attribute("href") for each in browser.find_elements(By.CSS_SELECTOR, ".md-search-result__link")]
    assert any("preflight.html" in each for each in found)
    assert not [each for each in _requests(browser) if each.startswith(("http", "ws"))]
    assert not [each for each in browser.get_log("browser") if each["level"] == "SEVERE"]


def test_the_button_beside_a_console_block_copies_its_commands(site, browser):
    """Neither the prompt nor what a command printed is pasted into somebody's shell."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get((site / "tutorials" / "certifier.html").as_uri())
    browser.execute_script(
        "addEventListener('copy', each => { window.copied = each.clipboardData.getData('text/plain') })"
    )
    blocks = browser.find_elements(By.CSS_SELECTOR, ".highlight")
    block = next(each for each in blocks if "--signing-key" in each.get_attribute("textContent"))
    block.find_element(By.CSS_SELECTOR, ".md-code__button").click()
    WebDriverWait(browser, 20).until(lambda page: page.execute_script("return window.copied"))
    lines = browser.execute_script("return window.copied").splitlines()
    assert [each.split()[0] for each in lines] == ["export", "pytest", "--report=out"]


def _browser(binary, driver, folder):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for each in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-dev-shm-usage",
        "window-size=1280,900",
        f"user-data-dir={folder}",
    ):
        options.add_argument(f"--{each}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service(driver))


def _requests(browser):
    """The addresses of everything that the pages asked for."""
    told = [json.loads(each["message"])["message"] for each in browser.get_log("performance")]
    return [each["params"]["request"]["url"] for each in told if each["method"] == "Network.requestWillBeSent"]
