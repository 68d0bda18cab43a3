"""What the installer decides before it installs."""

from pathlib import Path

import install
import pages
import pytest


def test_a_nearly_full_disk_is_named_with_what_is_free_and_what_is_needed() -> None:
    problem = install.disk_problem(1_200_000_000)
    assert problem is not None
    assert "1.2 GB" in problem
    assert "3 GB" in problem


def test_enough_space_is_no_problem() -> None:
    assert install.disk_problem(50_000_000_000) is None


def test_package_sources_of_the_machine_are_handed_to_uv() -> None:
    env = install.uv_environment({"index-url": "https://m.example/simple", "find-links": "/a /b"}, {})
    assert env["UV_DEFAULT_INDEX"] == "https://m.example/simple"
    assert env["UV_FIND_LINKS"] == "/a,/b"


def test_what_the_user_told_uv_stays() -> None:
    env = install.uv_environment(
        {"index-url": "https://m.example/simple"}, {"UV_DEFAULT_INDEX": "https://mine.example"}
    )
    assert env["UV_DEFAULT_INDEX"] == "https://mine.example"


def test_pages_become_stale_with_any_change_of_their_sources_or_texts(tmp_path: Path) -> None:
    (tmp_path / "frontend" / "src").mkdir(parents=True)
    (tmp_path / "locales").mkdir()
    (tmp_path / "frontend" / "src" / "page.tsx").write_text("one")
    (tmp_path / "locales" / "en.json").write_text("{}")
    seen = [pages.fingerprint(tmp_path)]
    (tmp_path / "frontend" / "src" / "page.tsx").write_text("two")
    seen.append(pages.fingerprint(tmp_path))
    (tmp_path / "locales" / "en.json").write_text('{"a": 1}')
    seen.append(pages.fingerprint(tmp_path))
    (tmp_path / "frontend" / "src" / "page.tsx").rename(tmp_path / "frontend" / "src" / "other.tsx")
    seen.append(pages.fingerprint(tmp_path))
    assert len(set(seen)) == 4


def test_what_is_generated_makes_no_page_stale(tmp_path: Path) -> None:
    (tmp_path / "frontend").mkdir()
    before = pages.fingerprint(tmp_path)
    for folder in ("node_modules", "dist"):
        (tmp_path / "frontend" / folder).mkdir()
        (tmp_path / "frontend" / folder / "file.js").write_text("x")
    assert pages.fingerprint(tmp_path) == before


def test_an_environment_that_is_a_link_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / ".venv"
    (theirs / "bin").mkdir(parents=True)
    ours.symlink_to(theirs)
    for name, path in (
        ("VENV", ours),
        ("STAMP", ours / "stamp"),
        ("UNFINISHED", ours / "unfinished"),
        ("PYTHON", ours / "bin" / "python"),
    ):
        monkeypatch.setattr(install, name, path)
    with pytest.raises(install.Problem, match=r"is a link to .*theirs"):
        install._begin()
    assert ours.is_symlink()
    assert (theirs / "bin").exists()
