"""The page shows the table that the code obeys."""

from pathlib import Path

from dialer.engine.transitions import diagram

PAGE = Path(__file__).parents[3] / "docs" / "engine.md"


def test_the_diagram_on_the_page_is_the_table():
    assert f"```mermaid\n{diagram()}\n```" in PAGE.read_text(encoding="utf-8")
