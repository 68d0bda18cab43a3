"""A running Awase and a browser for the tests of the pages; skipped where a machine lacks one of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.browser import executable, opened
from tests.system.house import ROOT, House, running

AXE = ROOT / "frontend/node_modules/axe-core/axe.min.js"


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which is injected into pages."""
    if not AXE.is_file():
        pytest.skip("axe-core is missing. Get it: (cd frontend && npm ci)")
    return AXE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Awase with nothing in it yet; the tests of a module share it."""
    if not (ROOT / "frontend/dist/index.html").is_file():
        pytest.skip("The pages are not built. Get them: ./awase setup")
    with running(Path(tmp_path_factory.mktemp("browser"))) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if executable() is None:
        pytest.skip("chromium is missing. Get it (Debian, Ubuntu): sudo apt install chromium")
    with opened() as started:
        yield started
