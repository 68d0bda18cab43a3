import { describe, expect, it } from 'vitest';
import { formatsOf } from './formats';
import { shown } from './say';

describe('sentences one after the other', () => {
  it('have a space between in English only, and none for what is not said', () => {
    expect(formatsOf('en').sentences(['One.', null, '', 'Two.'])).toBe('One. Two.');
    expect(formatsOf('ja').sentences(['作業中です。', undefined, '各拠点は待っています。'])).toBe(
      '作業中です。各拠点は待っています。',
    );
  });
});

describe('values as people of a language read them', () => {
  it('bytes grow by thousands', () => {
    expect(formatsOf('en').bytes(1_534_000)).toBe('1.5 MB');
    expect(formatsOf('en').bytes(36_000_000)).toBe('36.0 MB');
    expect(formatsOf('en').bytes(999_951)).toBe('1.0 MB');
    expect(formatsOf('en').bytes(999_949)).toBe('999.9 kB');
    expect(formatsOf('ja').bytes(999)).toContain('999');
    expect(formatsOf('ja').bytes(549_000)).toBe('549.0 kB');
  });
  it('a moment of another day has its day', () => {
    const now = Date.parse('2026-03-04T12:00:00');
    expect(formatsOf('en').instant('2026-03-04T09:05:07', now)).toBe('09:05:07');
    expect(formatsOf('ja').instant('2026-03-03T09:05:07', now)).toBe('2026/03/03 09:05:07');
    const told = shown({ since: null, until: '2020-01-01T00:00:00Z' }, 'ja');
    expect(told.since).toBe('');
    expect(told.until).toMatch(/^20(19|20)\//);
  });
  it('a time of day is of 24 hours with two figures, as in a timetable', () => {
    for (const language of ['en', 'ja']) {
      expect(formatsOf(language).clock('2026-03-04T02:05:07')).toBe('02:05:07');
      expect(formatsOf(language).clock('2026-03-04T00:05:07')).toBe('00:05:07');
      expect(formatsOf(language).moment('2026-03-04T14:05:07')).toMatch(/ 14:05$/);
    }
  });
  it('money follows language and currency', () => {
    expect(formatsOf('ja').money('2000000', 'JPY')).toBe('¥2,000,000');
    expect(formatsOf('en').money('2.5', 'USD')).toBe('$2.50');
  });
  it('what was reckoned has three figures, and its minus stays with it', () => {
    expect(formatsOf('en').estimate('-1234567.8', 'JPY')).toBe('\u2212\u2060¥1,230,000');
    expect(formatsOf('ja').estimate('-68312', 'JPY')).toBe('\u2212\u2060¥68,300');
    expect(formatsOf('en').money('68312', 'JPY')).toBe('¥68,312');
    expect(formatsOf('en').points(-0.0123)).toBe('\u2212\u20601.2');
  });
  it('a share of money has three figures, too', () => {
    expect(formatsOf('en').roughPercent(-155.323)).toBe('\u2212\u206015,500%');
    expect(formatsOf('en').roughPercent(0.0123)).toBe('1.2%');
    expect(formatsOf('en').roughPercent(null)).toBe('–');
  });
  it("a minute is a minute, and a moment is told by the reader's clock", () => {
    expect(formatsOf('ja').duration(59.7)).toBe('1分0秒');
    expect(formatsOf('en').duration(59.4)).toBe('59 sec');
    expect(shown({ at: '2026-11-24 20:12 UTC' }, 'ja').at).toBe(
      formatsOf('ja').moment('2026-11-24T20:12:00Z'),
    );
    expect(shown({ at: 'noon' }, 'en').at).toBe('noon');
  });
  it('names in a row are set apart as each language does it', () => {
    expect(shown({ waiting: 'a, b' }, 'ja').waiting).toBe('a、b');
    expect(shown({ waiting: 'a, b' }, 'en').waiting).toBe('a, b');
  });
  it('the token by which somebody acted stands in the brackets of the language', () => {
    expect(shown({ who: 'admin (me)' }, 'ja').who).toBe('admin（me）');
    expect(shown({ who: 'admin (me)' }, 'en').who).toBe('admin (me)');
  });
  it('settings are no sentence: nothing joins the last two', () => {
    const values = ['SlowMo', 'epochs per round 2', 'compressed'];
    expect(formatsOf('en').settings(values)).toBe('SlowMo; epochs per round 2; compressed');
    expect(formatsOf('ja').settings(values)).toBe('SlowMo、epochs per round 2、compressed');
  });
  it('a currency that nobody knows is still an amount', () => {
    expect(formatsOf('en').money('5', 'nope')).toBe('5 nope');
  });
  it('differences have a sign, and none where there is none', () => {
    expect(formatsOf('en').points(0.0123)).toBe('+1.2');
    expect(formatsOf('en').points(0)).toBe('0.0');
  });
  it('what is not known is a dash', () => {
    expect(formatsOf('en').percent(null)).toBe('–');
  });
  it('long times are said in minutes and hours', () => {
    expect(formatsOf('en').duration(75)).toBe('1 min 15 sec');
    expect(formatsOf('en').duration(7260)).toBe('2 hr 1 min');
  });
  it('what was seen just now by a clock that is ahead is not the future', () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    expect(formatsOf('en').ago('2026-01-01T00:00:02Z', now)).toBe('now');
    expect(formatsOf('ja').ago('2026-01-01T00:00:02Z', now)).toBe('今');
    expect(formatsOf('en').ago('2025-12-31T23:59:55Z', now)).toBe('5 sec. ago');
  });
  it('Japanese writes figures and units without a space', () => {
    expect(formatsOf('ja').ago('2025-12-31T23:59:55Z', Date.parse('2026-01-01T00:00:00Z'))).toBe('5秒前');
    expect(formatsOf('ja').duration(75)).toBe('1分15秒');
    expect(formatsOf('ja').duration(7.5)).toBe('7.5秒');
    expect(formatsOf('ja').bytes(0)).toBe('0バイト');
    expect(formatsOf('ja').bytes(36_000_000)).toBe('36.0 MB');
  });
  it('numbers inside sentences are grouped, words stay', () => {
    expect(shown({ a: 12345.6789, b: 'x', c: null }, 'en')).toEqual({ a: '12,345.6789', b: 'x', c: '' });
  });

  it('says a moment by the clocks of a place, and by those of the reader where they differ', () => {
    const at = '2026-01-04T17:00:00Z';
    const own = new Intl.DateTimeFormat().resolvedOptions().timeZone;
    const said = formatsOf('en').inZones(at, 'Asia/Tokyo');
    expect(said).toContain('Mon, Jan 5, 2026, 02:00 (Asia/Tokyo)');
    expect(said.includes(' = ')).toBe(own !== 'Asia/Tokyo');
    expect(formatsOf('ja').inZones(at, own)).not.toContain('＝');
    expect(formatsOf('ja').inZones(at, 'Asia/Tokyo')).toContain('2026年1月5日（月）02:00（Asia/Tokyo）');
  });
});
