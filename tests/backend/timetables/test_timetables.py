"""What a timetable would mean."""

from datetime import datetime, timedelta

import pytest

from backend.text.catalogue import say
from backend.timetables.words import words_of
from dimat.timetable import Timetable
from tests.backend.conftest import Api


@pytest.mark.parametrize(
    ("cron", "english", "japanese"),
    [
        ("0 2 * * 1", "Every Monday at 02:00 (Asia/Tokyo).", "毎週月曜日02:00（Asia/Tokyo）"),
        ("5 14 * * SUN", "Every Sunday at 14:05 (Asia/Tokyo).", "毎週日曜日14:05（Asia/Tokyo）"),
        ("0 2 * * 7", "Every Sunday at 02:00 (Asia/Tokyo).", "毎週日曜日02:00（Asia/Tokyo）"),
        ("30 23 * * *", "Every day at 23:30 (Asia/Tokyo).", "毎日23:30（Asia/Tokyo）"),
        (
            "*/7 * * * *",
            "At the times of */7 * * * * (Asia/Tokyo).",
            "cron式「*/7 * * * *」の時刻（Asia/Tokyo）",
        ),
        ("0 2 1 * *", "At the times of 0 2 1 * * (Asia/Tokyo).", "cron式「0 2 1 * *」の時刻（Asia/Tokyo）"),
        (
            "0 2 * * 2-4",
            "At the times of 0 2 * * 2-4 (Asia/Tokyo).",
            "cron式「0 2 * * 2-4」の時刻（Asia/Tokyo）",
        ),
        ("0 2 * * 1-5", "Monday to Friday at 02:00 (Asia/Tokyo).", "月曜日から金曜日の02:00（Asia/Tokyo）"),
        ("*/5 * * * *", "Every 5 minutes (Asia/Tokyo).", "5分ごと（Asia/Tokyo）"),
        ("* * * * *", "Every minute (Asia/Tokyo).", "毎分（Asia/Tokyo）"),
        ("5 * * * *", "Every hour, at minute 05 (Asia/Tokyo).", "毎時05分（Asia/Tokyo）"),
    ],
)
def test_a_timetable_is_said_in_words(cron: str, english: str, japanese: str) -> None:
    words = words_of(Timetable(cron=cron, time_zone="Asia/Tokyo"))
    assert [say(lang, f"timetables.{words.code}", words.params) for lang in ("en", "ja")] == [
        english,
        japanese,
    ]


def test_a_preview_gives_the_next_times_and_that_of_the_last_round(api: Api) -> None:
    weekly = {"cron": "0 2 * * 1", "time_zone": "Asia/Tokyo"}
    body = api.viewer.post("/api/v1/timetables/preview", json={"timetable": weekly, "rounds": 8}).json()
    assert body["words"]["text"] == "Every Monday at 02:00 (Asia/Tokyo)."
    japanese = api.viewer.post("/api/v1/timetables/preview?lang=ja", json={"timetable": weekly}).json()
    assert japanese["words"]["text"] == "毎週月曜日02:00（Asia/Tokyo）"
    first, second, third = (datetime.fromisoformat(at) for at in body["next"])
    assert second - first == third - second == timedelta(days=7)
    assert datetime.fromisoformat(body["last_round_at"]) - first == timedelta(weeks=7)
    never = {"timetable": {"cron": "0 0 30 2 *"}}
    problem = api.viewer.post(
        "/api/v1/timetables/preview", json=never, headers={"Accept-Language": "ja"}
    ).json()
    assert (problem["code"], problem["field"]) == ("cron_never_comes", "timetable.cron")
    assert problem["title"] == "「0 0 30 2 *」の日時は決して来ません。該当する日がどの年にもありません。"


def test_a_pilot_with_a_wrong_timetable_is_told_at_its_field(api: Api) -> None:
    body = {"timetable": {"cron": "0 2 * * 1", "time_zone": "Tokyo"}}
    problem = api.viewer.post("/api/v1/timetables/preview", json=body).json()
    assert (problem["code"], problem["field"]) == ("unknown_time_zone", "timetable.time_zone")


def test_a_last_round_beyond_the_calendar_is_told_as_unknown(api: Api) -> None:
    body = {"timetable": {"cron": "0 0 29 2 *"}, "rounds": 2000}
    answer = api.viewer.post("/api/v1/timetables/preview", json=body)
    assert (answer.status_code, answer.json()["last_round_at"]) == (200, None)
