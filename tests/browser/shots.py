"""Pictures of every page in both themes, both languages and two sizes, for people to look at.

python -m tests.browser.shots BASE_URL TOKEN FOLDER [word of a picture's name ...]
"""

import sys
from itertools import product
from pathlib import Path

from playwright.sync_api import BrowserContext, Page

from tests.browser.browser import context, opened

SIZES = {"wide": (1440, 900), "narrow": (390, 844)}


def main(base: str, token: str, folder: Path, words: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with opened() as browser:
        for (size, (width, height)), theme, language in product(
            SIZES.items(), ("light", "dark"), ("en", "ja")
        ):
            tail = f"{size}-{theme}-{language}"
            profile = context(browser, width=width, height=height, theme=theme, language=language)
            page = profile.new_page()
            for name, path in places(profile, base, token).items():
                if not all(any(part in f"{name}-{tail}" for part in word.split(",")) for word in words):
                    continue
                page.goto(base + path)
                settle(page)
                page.screenshot(path=folder / f"{name}-{tail}.png", full_page=True)
            profile.close()


def places(profile: BrowserContext, base: str, token: str) -> dict[str, str]:
    """Signs in and says which pages there are."""
    profile.request.post(f"{base}/api/v1/session", data={"token": token}, headers={"Origin": base})

    def first(kind: str) -> str:
        items = profile.request.get(f"{base}/api/v1/{kind}?limit=1").json()["items"]
        return str(items[0]["id"]) if items else "none"

    runs = profile.request.get(f"{base}/api/v1/runs?limit=20").json()["items"]
    run = next((r["id"] for r in runs if r["arm"] in ("regmean", "basis")), "none")
    return {
        "home": "/", "sites": "/sites", "site": f"/sites/{first('sites')}", "site-new": "/sites/new",
        "topologies": "/topologies", "topology-new": "/topologies/new", "pilots": "/pilots", "pilot-new": "/pilots/new",
        "pilot": f"/pilots/{first('pilots')}", "runs": "/runs", "run": f"/runs/{run}", "settings": "/settings",
        "help": "/help", "missing": "/nowhere",
    }  # fmt: skip


def settle(page: Page) -> None:
    page.wait_for_load_state("load")
    page.locator("h1").first.wait_for()
    page.wait_for_timeout(1600)


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"), sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
