"""The broker is waited for only where waiting can help."""

import pytest

from backend.supervisor.broker import wait_until_ready
from backend.supervisor.place import StartError
from tests import services


def test_a_wrong_password_is_told_at_once_and_not_shown() -> None:
    with services.broker(password="right-one") as url:
        wait_until_ready(url)
        with pytest.raises(StartError, match="refuses the password in BROKER_URL") as refused:
            wait_until_ready(url.replace("right-one", "wrong-one"))
    assert "wrong-one" not in str(refused.value)
