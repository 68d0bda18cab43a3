import { createInstance } from 'i18next';
import { describe, expect, it } from 'vitest';
import en from '../../../../locales/en.json';
import ja from '../../../../locales/ja.json';
import { INTERPOLATION, noun } from '../../i18n/start';
import { absenceKey, missedFrom, sitesIn } from './absent';

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
    expect(said('en', gone(null))).toBe('c was silent; the run goes on without it from round 3 on.');
    expect(said('en', gone(null, 10, train))).toBe(
      'c was silent; the run goes on without it from “Train” of round 9 on.',
    );
    expect(said('ja', gone(null, 10, train))).toBe(
      'cから応答がないため、ラウンド9の学習以降、この拠点を外して続けています。',
    );
    expect(said('en', gone(8))).toBe(
      'c was silent and takes no part from round 3 on; it is back and takes part again from round 8 on.',
    );
    const start = gone(null, 10, train.slice(0, 1));
    expect(said('en', start)).toBe('c was silent; its start was not evaluated.');
    expect(said('ja', start)).toBe('cは応答がなかったため、開始時の評価がありません。');
  });
});
