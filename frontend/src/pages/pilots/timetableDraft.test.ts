import { describe, expect, it } from 'vitest';
import { DAYS, freshTimetable, sentenceOf, timetableDraftOf, timetableOf } from './timetableDraft';

describe('when rounds run', () => {
  it('is at once where nothing is chosen', () => {
    expect(timetableOf(freshTimetable())).toBeNull();
    expect(timetableDraftOf(null).every).toBe('once');
  });

  it('comes back as it was chosen', () => {
    const draft = { ...freshTimetable(), time: '02:05', zone: 'Asia/Tokyo' };
    for (const day of DAYS) {
      const weekly = timetableDraftOf(timetableOf({ ...draft, every: 'week', day }));
      expect([weekly.every, weekly.time, weekly.day, weekly.zone]).toEqual([
        'week',
        '02:05',
        day,
        'Asia/Tokyo',
      ]);
    }
    expect(timetableOf({ ...draft, every: 'week', day: 'mon' })?.cron).toBe('5 2 * * 1');
    expect(timetableDraftOf(timetableOf({ ...draft, every: 'day' }))).toMatchObject({
      every: 'day',
      time: '02:05',
    });
  });

  it('keeps an expression of its own', () => {
    const own = timetableDraftOf({ cron: '*/5 0 1 * *', time_zone: 'UTC' });
    expect([own.every, timetableOf(own)?.cron]).toEqual(['cron', '*/5 0 1 * *']);
    expect(sentenceOf(own).key).toBe('timetables.cron');
  });

  it('says in words what is common', () => {
    const said = (cron: string) => {
      const { key, params } = sentenceOf(timetableDraftOf({ cron, time_zone: 'UTC' }));
      return [key, params];
    };
    expect(said('* * * * *')).toEqual(['timetables.every_minute', { zone: 'UTC' }]);
    expect(said('*/15 * * * *')).toEqual(['timetables.every_minutes', { minutes: 15, zone: 'UTC' }]);
    expect(said('*/7 * * * *')[0]).toBe('timetables.cron');
    expect(said('5 * * * *')).toEqual(['timetables.every_hour', { minute: '05', zone: 'UTC' }]);
    expect(said('0 2 * * Mon')).toEqual(['timetables.every_mon', { time: '02:00', zone: 'UTC' }]);
    expect(said('0 2 * * foo')[0]).toBe('timetables.cron');
    expect(said('0 2 * * mon-FRI')).toEqual(['timetables.every_weekday', { time: '02:00', zone: 'UTC' }]);
  });
});
