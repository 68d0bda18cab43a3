"""How the tests and the pictures open a browser: Debian's chromium, nothing loaded from elsewhere."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, sync_playwright

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
THEME_KEY = "mantine-color-scheme-value"
LANGUAGE_KEY = "awase.language"


def executable() -> str | None:
    """Where chromium is on this machine, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def opened() -> Iterator[Browser]:
    """A headless browser."""
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=executable(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def context(
    browser: Browser, *, width: int = 1440, height: int = 900, theme: str = "light", language: str = "en"
) -> BrowserContext:
    """A fresh profile whose pages begin in this theme and language; a choice made on a page is kept."""
    made = browser.new_context(
        viewport={"width": width, "height": height}, locale="ja-JP" if language == "ja" else "en-GB",
        color_scheme="dark" if theme == "dark" else "light",
    )  # fmt: skip
    made.set_default_timeout(20_000)
    return made
