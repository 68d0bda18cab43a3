"""A page of the browser that remembers what must not happen: console errors, requests to elsewhere."""

from playwright.sync_api import BrowserContext, Page, Request

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
