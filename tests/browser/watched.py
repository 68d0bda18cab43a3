"""A page of the browser that remembers what must not happen: console errors, requests to elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from tests.browser.browser import context
from tests.system.house import House, awase


class Watched:
    def __init__(self, profile: BrowserContext, origin: str) -> None:
        self.profile, self.origin = profile, origin
        self.page: Page = profile.new_page()
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        self.page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type == "error" else None
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._note)

    def _note(self, request: Request) -> None:
        if not request.url.startswith((self.origin, "data:", "blob:")):
            self.elsewhere.append(request.url)

    def open(self, path: str) -> Page:
        self.page.goto(self.origin + path)
        return self.page

    def is_clean(self) -> None:
        """Nothing was loaded from another origin and the console stayed silent."""
        assert self.elsewhere == []
        assert not self.complaints, self.complaints


def sign_in_link(house: House) -> str:
    """A fresh one-time link, as a person gets it on the server's machine."""
    said = awase("sign-in-link", "--data-dir", str(house.data_dir)).stdout
    link = next(word for word in said.split() if "/sign-in#" in word)
    # This house listens on a port of its own, the command names the usual one.
    return f"{house.origin}/sign-in#{link.partition('#')[2]}"


@contextmanager
def signed_in(house: House, browser: Browser) -> Iterator[Watched]:
    """The browser of an administrator who has signed in."""
    profile = context(browser)
    found = Watched(profile, house.origin)
    found.page.goto(sign_in_link(house))
    expect(found.page.get_by_role("heading", name="Home", exact=True)).to_be_visible()
    found.complaints.clear()
    yield found
    profile.close()
