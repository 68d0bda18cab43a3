import { createInstance } from 'i18next';
import { describe, expect, it } from 'vitest';
import en from '../../../../locales/en.json';
import ja from '../../../../locales/ja.json';
import { INTERPOLATION, noun } from '../../i18n/start';
import { absenceKey, sitesIn } from './absent';

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
    num_sites: 6,
    mean_over,
  });
  it('says over how many sites its means are', () => {
    const said = (lng: 'en' | 'ja', over: number | null) => sitesIn(run(over), languageOf(lng).t);
    expect([said('en', 5), said('ja', 5)]).toEqual(['5 of 6 sites', '6拠点中5拠点']);
    expect([said('en', 6), said('en', null), said('ja', 6)]).toEqual(['6 sites', '6 sites', '6拠点']);
  });
  it('speaks of who never came back as past once it has ended', () => {
    expect(absenceKey(run(5), { until_round: null })).toBe('ui.run.left_out');
    expect(absenceKey(run(5, 'completed'), { until_round: null })).toBe('ui.run.left_out_to_end');
    expect(absenceKey(run(6, 'completed'), { until_round: 7 })).toBe('ui.run.left_out_until');
  });
});
