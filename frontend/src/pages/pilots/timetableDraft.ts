/* When rounds run, as the form asks for it, and the timetable that it stands for. Pure. */
import type { Schemas } from '../../api/client';

type Timetable = Schemas['Timetable'];
export const EVERY = ['once', 'day', 'week', 'cron'] as const;
export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Day = (typeof DAYS)[number];
/** In the order of cron, where 0 and 7 are Sunday. */
const CRON_DAYS = ['sun', ...DAYS] as const;

export interface TimetableDraft {
  every: (typeof EVERY)[number];
  /** By the clock: 02:00. */
  time: string;
  day: Day;
  cron: string;
  zone: string;
}

export interface Sentence {
  key: string;
  params: Record<string, string | number>;
}

/** Of this browser; UTC where it does not say. */
export function ownZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
}

export function freshTimetable(): TimetableDraft {
  return { every: 'once', time: '02:00', day: 'mon', cron: '0 2 * * 1', zone: ownZone() };
}

/** Null: each round as soon as the one before is done. */
export function timetableOf(draft: TimetableDraft): Timetable | null {
  if (draft.every === 'once') return null;
  if (draft.every === 'cron') return { cron: draft.cron, time_zone: draft.zone };
  const [hour, minute] = draft.time.split(':').map(Number);
  const day = draft.every === 'day' ? '*' : String(CRON_DAYS.indexOf(draft.day));
  return { cron: `${minute ?? 0} ${hour ?? 0} * * ${day}`, time_zone: draft.zone };
}

/** What the form shows of a stored timetable: the simplest of its choices that says the same. */
export function timetableDraftOf(stored: Timetable | null | undefined): TimetableDraft {
  const fresh = freshTimetable();
  if (!stored) return fresh;
  const own: TimetableDraft = { ...fresh, every: 'cron', cron: stored.cron, zone: stored.time_zone ?? 'UTC' };
  const [, minute, hour, day] = /^(\d{1,2}) (\d{1,2}) \* \* ([0-7]|\*|[a-z]{3})$/i.exec(stored.cron) ?? [];
  if (minute === undefined || hour === undefined || day === undefined) return own;
  const time = `${hour.padStart(2, '0')}:${minute.padStart(2, '0')}`;
  if (day === '*') return { ...own, every: 'day', time };
  const named = CRON_DAYS.find((name) => name === day.toLowerCase()) ?? CRON_DAYS[Number(day) % 7];
  return named === undefined ? own : { ...own, every: 'week', time, day: named };
}

/** How the catalogue says it, as `words_of` of backend/timetables/words.py chooses it. */
export function sentenceOf(draft: TimetableDraft): Sentence {
  const { time, cron, zone } = draft;
  if (draft.every === 'week') return { key: `timetables.every_${draft.day}`, params: { time, zone } };
  if (draft.every === 'day') return { key: 'timetables.every_day', params: { time, zone } };
  const [, at, on] = /^(\d{1,2} \d{1,2}) \* \* (\S+)$/.exec(cron) ?? [];
  if (at && on && ['1-5', 'mon-fri'].includes(on.toLowerCase())) {
    const [minute = '', hour = ''] = at.split(' ').map((part) => part.padStart(2, '0'));
    return { key: 'timetables.every_weekday', params: { time: `${hour}:${minute}`, zone } };
  }
  const [, often] = /^(\S+) \* \* \* \*$/.exec(cron) ?? [];
  if (often === '*' || often === '*/1') return { key: 'timetables.every_minute', params: { zone } };
  if (often && /^\d+$/.test(often))
    return { key: 'timetables.every_hour', params: { minute: often.padStart(2, '0'), zone } };
  const minutes = Number(/^\*\/(\d+)$/.exec(often ?? '')?.[1]);
  if (minutes > 0 && 60 % minutes === 0)
    return { key: 'timetables.every_minutes', params: { minutes, zone } };
  return { key: 'timetables.cron', params: { cron, zone } };
}
