"""The tutorials and the cookbook do what they say: every command is run, and prints what the page shows."""

from pathlib import Path

import pytest
import sessions

DOCS = Path(__file__).parents[1] / "docs"
PAGES = (
    "tutorials/integrator.md",
    "tutorials/vendor.md",
    "tutorials/certifier.md",
    "tutorials/client-developer.md",
    "cookbook.md",
)


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_followed_to_its_end(name, tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    state = tmp_path / "state"
    state.touch()
    page = (DOCS / name).read_text(encoding="utf-8")
    problems = sessions.Session(folder, state).play(page)
    assert not problems, "\n\n".join(problems)


def test_output_that_a_page_shows_is_looked_for_line_by_line():
    """Numbers that change with every new case may differ, words and verdicts may not."""
    output = (
        "atlast ....\n==== atlast: conformant ====\n492 requests (12 of them controls)\n1 failed, 3 passed in 1.51s\n"
    )
    assert sessions.differences(["…", "=== atlast: conformant ===", "480 requests (10 of them controls)"], output) == []
    assert sessions.differences(["1 failed, 7 passed in 2.22s"], output) == []
    assert sessions.differences(["2 failed, 3 passed in 1.51s"], output)
    assert sessions.differences(["=== atlast: nonconformant ==="], output)
    assert sessions.differences(["492 requests (12 of them controls)", "=== atlast: conformant ==="], output)


def test_a_command_that_ends_otherwise_than_its_page_says_is_told(tmp_path):
    state = tmp_path / "state"
    state.touch()
    page = '```text title="known.txt"\nword\n```\n\n```console\n$ export A=word && cat known.txt\nword\n$ test "$A" = other\n```\n'
    (problem,) = sessions.Session(tmp_path, state).play(page)
    assert "exits 1, not 0" in problem
