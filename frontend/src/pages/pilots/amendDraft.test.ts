import { createInstance } from 'i18next';
import { describe, expect, it } from 'vitest';
import en from '../../../../locales/en.json';
import ja from '../../../../locales/ja.json';
import { INTERPOLATION } from '../../i18n/start';
import { amendmentOf, EMPTY } from './amendDraft';
import { settingWords } from './settingWords';

describe('a change to a launched pilot', () => {
  it('leaves out what was left empty', () => {
    const given = { ...EMPTY, why: 'Too slow.', epochs: 0, mergeEvery: 5 };
    expect(amendmentOf(given, false)).toEqual({
      arm: null,
      from_round: null,
      patch: { train: { epochs: 0 }, merge: { merge_every: 5 } },
      why: 'Too slow.',
    });
    expect(amendmentOf(EMPTY, false).patch).toEqual({});
  });
  it('keeps models compressed where only their numbers change', () => {
    const given = { ...EMPTY, arm: 'matched', fromRound: 4, numbers: 'int8' };
    expect(amendmentOf(given, true)).toMatchObject({
      arm: 'matched',
      from_round: 4,
      patch: { merge: { wire: { numbers: 'int8', compress: true } } },
    });
  });
});

describe('a setting that changes', () => {
  const languageOf = (lng: 'en' | 'ja') => {
    const language = createInstance();
    const resources = { en: { translation: en }, ja: { translation: ja } };
    void language.init({ resources, lng, interpolation: INTERPOLATION, initAsync: false });
    return language;
  };
  const of = (lng: 'en' | 'ja') => {
    const language = languageOf(lng);
    return (field: string, old: string | number | boolean | null, now: string | number | boolean | null) =>
      settingWords({ field, old, new: now, stays: false, otherwise: null }, language.t);
  };
  it('says what it would be where it is kept as it is', () => {
    const kept = { field: 'train.epochs', old: 5, new: 5, stays: true, otherwise: 2 };
    const said = (lng: 'en' | 'ja') => settingWords(kept, languageOf(lng).t);
    expect(said('en')).toBe('Epochs in a round: stays 5, otherwise 2');
    expect(said('ja')).toBe('ラウンドあたりのエポック数：2に変わらず5のまま');
  });
  it('is said with its values as people call them', () => {
    expect(of('en')('method', 'dimat', 'regmean')).toBe(
      'Method: Match and merge (DIMAT) → Merge by second moments (RegMean)',
    );
    expect(of('en')('merge.final_merge', false, true)).toBe('Ends with a merge: No → Yes');
    expect(of('ja')('merge.merge_every', 1, 5)).toBe('統合の間隔（ラウンド）：1 → 5');
    expect(of('en')('topology.links', null, null)).toBe('Links of the topology');
  });
});
