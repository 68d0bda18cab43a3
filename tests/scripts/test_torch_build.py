"""Which build of torch a machine gets."""

from pathlib import Path

import torch_build

PLENTY = 100_000_000_000


def ways(
    choice: str = "auto", device: bool = False, free: int = PLENTY, platform: str = "linux", **pip: str
) -> list[str]:
    settings = {key.replace("_", "-"): value for key, value in pip.items()}
    return [" ".join(way.arguments) for way in torch_build.attempts(choice, device, free, platform, settings)]


def test_without_a_device_the_cpu_index_comes_before_the_package_index() -> None:
    first, last = ways()
    assert torch_build.CPU_INDEX in first
    assert last == "torch==2.13.0"


def test_a_wheel_on_the_machine_comes_first() -> None:
    assert ways(find_links="/wheels")[0] == "--no-deps --no-index torch==2.13.0"


def test_a_configured_source_is_asked_before_the_public_one() -> None:
    offered = torch_build.attempts(
        "auto", False, PLENTY, "linux", {"index-url": "https://mirror.example/simple"}
    )
    assert offered[0].only_cpu
    assert torch_build.CPU_INDEX in offered[1].arguments


def test_with_a_device_the_cuda_build_comes_first_and_never_a_cpu_wheel_of_the_machine() -> None:
    assert ways(device=True, find_links="/wheels")[0] == "torch===2.13.0"


def test_a_nearly_full_disk_gets_no_cuda_build_on_its_own_account() -> None:
    assert "torch===2.13.0" not in ways(device=True, free=5_000_000_000)


def test_cpu_is_cpu_even_with_a_device() -> None:
    assert "torch===2.13.0" not in ways(choice="cpu", device=True)


def test_cuda_is_cuda_or_nothing() -> None:
    assert ways(choice="cuda", find_links="/wheels") == ["torch===2.13.0"]


def test_no_public_cpu_index_is_asked_on_a_mac() -> None:
    assert ways(platform="darwin") == ["--no-deps torch==2.13.0"]


def test_a_device_is_seen_in_the_device_folder(tmp_path: Path) -> None:
    assert not torch_build.has_nvidia_device(tmp_path)
    (tmp_path / "nvidia0").touch()
    assert torch_build.has_nvidia_device(tmp_path)


def test_pip_settings_of_the_environment_win_over_files() -> None:
    listing = (
        ":env:.find-links='/here'\nglobal.find-links='/there'\nglobal.index-url='https://m.example/simple'\n"
    )
    assert torch_build.parse_pip_settings(listing) == {
        "find-links": "/here",
        "index-url": "https://m.example/simple",
    }


def test_a_cpu_build_is_recognised_by_the_address_pip_reports() -> None:
    report = (
        '{"install": [{"download_info": {"url": "https://m.example/torch-2.13.0%2Bcpu-cp311-linux.whl"}}]}'
    )
    assert torch_build.is_cpu_build(report)
    assert not torch_build.is_cpu_build(report.replace("%2Bcpu", ""))
    assert not torch_build.is_cpu_build(None)
