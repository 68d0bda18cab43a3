import { createInstance } from 'i18next';
import { describe, expect, it } from 'vitest';
import en from '../../../../locales/en.json';
import ja from '../../../../locales/ja.json';
import { INTERPOLATION, noun } from '../../i18n/start';
import { awayKey } from '../sites/awayKeys';
import { absenceKey, alike, leftOutOfAll, missedFrom, sitesIn, takingPart } from './absent';

function languageOf(lng: 'en' | 'ja') {
  const language = createInstance();
  const resources = { en: { translation: en }, ja: { translation: ja } };
  void language.init({ resources, lng, interpolation: INTERPOLATION, initAsync: false });
  language.services.formatter?.add('noun', noun);
  return language;
}

describe('a run without some of its sites', () => {
  const run = (mean_over: number | null, state: 'running' | 'completed' = 'running') => ({
    state,
    rounds: 9,
    rounds_done: 6,
    num_sites: 6,
    mean_over,
  });
  it('says over how many sites its means are', () => {
    const said = (lng: 'en' | 'ja', over: number | null) => sitesIn(run(over), languageOf(lng).t);
    expect([said('en', 5), said('ja', 5)]).toEqual(['5 of 6 sites', '6拠点中5拠点']);
    expect([said('en', 6), said('en', null), said('ja', 6)]).toEqual(['6 sites', '6 sites', '6拠点']);
  });
  const gone = (
    until_round: number | null,
    from_round = 3,
    undone: { round: number; kind: string }[] = [],
  ) => ({
    from_round,
    until_round,
    undone,
  });
  it('says once what is true of several', () => {
    const { t } = languageOf('en');
    const found = alike(run(3), [gone(null), gone(5), gone(null), gone(null, 4)], t);
    expect(found).toEqual([[gone(null), gone(null)], [gone(5)], [gone(null, 4)]]);
  });
  it('speaks of who never came back as past once it has ended', () => {
    expect(absenceKey(run(5), gone(null))).toBe('ui.run.left_out');
    expect(absenceKey(run(5, 'completed'), gone(null))).toBe('ui.run.left_out_to_end');
    expect(absenceKey(run(6, 'completed'), gone(7))).toBe('ui.run.left_out_until');
  });
  it('says of who is to take part again that it does so once that round is at work', () => {
    expect(absenceKey(run(5), gone(7))).toBe('ui.run.left_out_until');
    expect(absenceKey(run(5), gone(8))).toBe('ui.run.left_out_coming_back');
    expect(absenceKey(run(5, 'completed'), gone(8))).toBe('ui.run.left_out_to_end');
  });
  it('names the step that a site missed first where it had begun the round', () => {
    const train = [
      { round: 0, kind: 'evaluate' },
      { round: 9, kind: 'train' },
    ];
    const said = (lng: 'en' | 'ja', absence: ReturnType<typeof gone>) => {
      const { t } = languageOf(lng);
      return t(absenceKey(run(5), absence), { site: 'c', from: missedFrom(absence, t), until: 8 });
    };
    expect(said('en', gone(null))).toBe(
      'The run goes on without c from round 3 on, for want of a sign of life.',
    );
    expect(said('en', gone(null, 10, train))).toBe(
      'The run goes on without c from "Train" of round 9 on, for want of a sign of life.',
    );
    expect(said('ja', gone(null, 10, train))).toBe(
      'cから応答がないため、ラウンド9の学習以降は外して続けています。',
    );
    expect(said('en', gone(8))).toBe(
      'The run goes on without c from round 3 on, for want of a sign of life; now back, and taking part again from round 8 on.',
    );
    const start = gone(null, 10, train.slice(0, 1));
    expect(said('en', start)).toBe('The start was not evaluated at c, for want of a sign of life.');
    expect(said('ja', start)).toBe('cは応答がなかったため、開始時の評価がありません。');
  });
});

it('a pilot goes on without the sites that all of its runs have left out', () => {
  const gone = (site: string, until_round: number | null = null, from_round = 1) => ({
    site,
    from_round,
    until_round,
    undone: from_round > 9 ? [{ round: 0, kind: 'evaluate' as const }] : [],
  });
  expect(leftOutOfAll([])).toEqual([]);
  expect(
    leftOutOfAll([
      { rounds: 9, absences: [gone('a'), gone('b'), gone('c', 4)] },
      { rounds: 9, absences: [gone('c'), gone('a', 2), gone('a')] },
    ]),
  ).toEqual(['a']);
  const isWaitedFor = { rounds: 9, absences: [gone('a', null, 10)] };
  expect(leftOutOfAll([isWaitedFor])).toEqual([]);
});

it('who was left out of a run is none of those that are left in it', () => {
  const absence = { site: 'kobe', from_round: 3, until_round: null, undone: [] };
  const runs = [
    { rounds: 9, absences: [absence] },
    { rounds: 9, absences: [] },
  ];
  const members = ['osaka', 'kobe', 'nara'];
  const left = takingPart(runs, [members, members]);
  expect(left).toEqual([['osaka', 'nara'], members]);
  expect(awayKey('skip', ['nara'], left.slice(0, 1))).toBe('away_skip_short');
  expect(awayKey('skip', ['nara'], left)).toBe('away_skip_short_some');
});
