/* Dates, numbers, bytes and money as people of a language read them. Pure. */

export interface Formats {
  number(value: number | null | undefined, digits?: number): string;
  percent(fraction: number | null | undefined): string;
  /** A share that was reckoned from money: three figures. */
  roughPercent(fraction: number | null | undefined): string;
  points(fraction: number | null | undefined): string;
  bytes(count: number | null | undefined): string;
  /** An amount as somebody entered it. */
  money(amount: string | null | undefined, currency: string): string;
  /** An amount that was reckoned: three figures, no estimate bears more. */
  estimate(amount: string | null | undefined, currency: string): string;
  moment(at: string | null | undefined): string;
  /** As `moment`, of a text in which a time of day may stand in any form: what is none stays as it is. */
  when(at: string): string;
  /** A moment by the clocks of a zone, and by those of the reader where they show another time. */
  inZones(at: string, zone: string): string;
  clock(at: string): string;
  /** To the second, and with the day where that is not today. */
  instant(at: string, now?: number): string;
  ago(at: string | null | undefined, now: number): string;
  duration(seconds: number | null | undefined): string;
  /** Names in a sentence: 'a, b and c'. */
  list(names: readonly string[]): string;
  /** A note behind a title, in the brackets of the script. */
  inBrackets(text: string): string;
  /** Between a sentence and what follows it on its line: Japanese writes none. */
  space: string;
  /** Sentences one after the other. Empty ones are left out. */
  sentences(said: readonly (string | null | undefined)[]): string;
  /** Between things side by side, which are no sentence and may hold commas. */
  between: string;
  /** Settings side by side. */
  settings(values: readonly string[]): string;
}

const NONE = '–';
const BYTE_UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;

// A minus as Python's texts write it (backend/roi/numbers.py), joined to its amount so that no line breaks between.
const MINUS = '\u2212\u2060';

export function formatsOf(language: string): Formats {
  const intl = (options: Intl.NumberFormatOptions) => {
    const format = new Intl.NumberFormat(language, options);
    return { format: (value: number) => format.format(value).replace('-', MINUS) };
  };
  const between = language === 'ja' ? '、' : '; ';
  return {
    number: (value, digits = 0) =>
      value == null ? NONE : intl({ maximumFractionDigits: digits }).format(value),
    percent: (value) =>
      value == null
        ? NONE
        : intl({ style: 'percent', minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(value),
    roughPercent: (value) =>
      value == null
        ? NONE
        : intl(
            Math.abs(value) < 1
              ? { style: 'percent', minimumFractionDigits: 1, maximumFractionDigits: 1 }
              : { style: 'percent', maximumSignificantDigits: 3 },
          ).format(value),
    points: (value) =>
      value == null
        ? NONE
        : intl({ signDisplay: 'exceptZero', minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(
            value * 100,
          ),
    bytes: (count) => {
      if (count == null) return NONE;
      let unit = 0;
      let value = count;
      // 999,950 is written 1.0 MB: as kB it would round to a thousand.
      while (value >= (unit === 0 ? 1000 : 999.95) && unit < BYTE_UNITS.length - 1) {
        value /= 1000;
        unit += 1;
      }
      const shown = intl({
        style: 'unit',
        unit: BYTE_UNITS[unit] ?? 'byte',
        unitDisplay: unit === 0 ? 'long' : 'short',
        minimumFractionDigits: unit === 0 ? 0 : 1,
        maximumFractionDigits: unit === 0 ? 0 : 1,
      }).format(value);
      // The Japanese tables write KB; figures and texts of the server write kB.
      return joined(language, shown.replace('KB', 'kB'));
    },
    money: (amount, currency) => (amount == null ? NONE : moneyOf(language, currency, Number(amount))),
    estimate: (amount, currency) =>
      amount == null ? NONE : moneyOf(language, currency, Number(amount), { maximumSignificantDigits: 3 }),
    moment: (at) => (at == null ? NONE : timeOf(language, { dateStyle: 'medium', timeStyle: 'short' }, at)),
    when: (at) => (Number.isNaN(Date.parse(at)) ? at : formatsOf(language).moment(at)),
    inZones: (at, zone) => {
      const clockIn = (timeZone?: string) => ({ hour: 'numeric', minute: '2-digit', timeZone }) as const;
      const dayIn = (timeZone?: string) =>
        ({ weekday: 'short', year: 'numeric', month: 'short', day: 'numeric', timeZone }) as const;
      const said = (options: Intl.DateTimeFormatOptions) => timeOf(language, options, at);
      const whole = (timeZone?: string) => said({ ...dayIn(timeZone), ...clockIn(timeZone) });
      const theirs = whole(zone);
      // Of the same day the time of day is enough.
      const own =
        theirs === whole() ? theirs : said(dayIn(zone)) === said(dayIn()) ? said(clockIn()) : whole();
      const place = new Intl.DateTimeFormat().resolvedOptions().timeZone;
      if (theirs === own) return language === 'ja' ? `${theirs}（${zone}）` : `${theirs} (${zone})`;
      return language === 'ja'
        ? `${theirs}（${zone}）＝ ${own}（${place}）`
        : `${theirs} (${zone}) = ${own} (${place})`;
    },
    clock: (at) => timeOf(language, { timeStyle: 'medium' }, at),
    instant: (at, now = Date.now()) => {
      const when = new Date(at);
      const today = when.toDateString() === new Date(now).toDateString();
      return timeOf(language, { ...(today ? {} : { dateStyle: 'medium' }), timeStyle: 'medium' }, at);
    },
    // What was seen is past: a clock that is a little ahead of this one makes it no future.
    ago: (at, now) => (at == null ? NONE : agoOf(language, Math.min(0, (Date.parse(at) - now) / 1000))),
    duration: (seconds) => (seconds == null ? NONE : durationOf(language, seconds)),
    list: (names) => new Intl.ListFormat(language, { type: 'conjunction' }).format(names),
    space: language === 'ja' ? '' : ' ',
    sentences: (said) => said.filter(Boolean).join(language === 'ja' ? '' : ' '),
    inBrackets: (text) => (language === 'ja' ? `（${text}）` : ` (${text})`),
    between,
    settings: (values) => values.join(between),
  };
}

/** By a clock of 24 hours with two figures each, as timetables and time windows are written. */
function timeOf(language: string, options: Intl.DateTimeFormatOptions, at: string): string {
  const said = new Intl.DateTimeFormat(language, { ...options, hourCycle: 'h23' })
    .format(new Date(at))
    .replace(/(?<![\d:])\d:\d\d/, '0$&');
  // The day of the week in the brackets of the script.
  return language === 'ja' ? said.replace(/\((.)\) ?/, '（$1）') : said;
}

function moneyOf(
  language: string,
  currency: string,
  value: number,
  digits: Intl.NumberFormatOptions = Math.abs(value) < 100 ? {} : { maximumFractionDigits: 0 },
): string {
  try {
    const shown = new Intl.NumberFormat(language, { style: 'currency', currency, ...digits }).format(value);
    // Japanese writes the wide yen sign, which the charts and texts of the server do not.
    return shown.replace('-', MINUS).replace('\uffe5', '\u00a5');
  } catch {
    const plain = new Intl.NumberFormat(language, digits).format(value).replace('-', MINUS);
    return `${plain} ${currency}`; // a currency that Intl does not know
  }
}

function agoOf(language: string, seconds: number): string {
  const relative = new Intl.RelativeTimeFormat(language, { numeric: 'auto', style: 'short' });
  const size = Math.abs(seconds);
  const said = (value: number, unit: Intl.RelativeTimeFormatUnit) =>
    joined(language, relative.format(Math.round(value), unit));
  if (size < 60) return said(seconds, 'second');
  if (size < 3600) return said(seconds / 60, 'minute');
  if (size < 86_400) return said(seconds / 3600, 'hour');
  return said(seconds / 86_400, 'day');
}

function durationOf(language: string, seconds: number): string {
  const unit = (value: number, name: string, digits = 0) =>
    new Intl.NumberFormat(language, {
      style: 'unit',
      unit: name,
      unitDisplay: 'short',
      maximumFractionDigits: digits,
    }).format(value);
  if (seconds < 59.5)
    return joined(language, unit(seconds, 'second', seconds < 1 ? 2 : seconds < 10 ? 1 : 0));
  const whole = Math.round(seconds);
  const both = (first: string, second: string) => joined(language, `${first} ${second}`);
  if (whole < 3600) return both(unit(Math.floor(whole / 60), 'minute'), unit(whole % 60, 'second'));
  return both(unit(Math.floor(whole / 3600), 'hour'), unit(Math.floor((whole % 3600) / 60), 'minute'));
}

/** Japanese writes a figure and a Japanese unit without the space that Intl puts between them. */
function joined(language: string, text: string): string {
  return language === 'ja' ? text.replace(/(?<=\d) (?=[^\d\sA-Za-z])|(?<=[^\d\sA-Za-z]) (?=\d)/g, '') : text;
}
