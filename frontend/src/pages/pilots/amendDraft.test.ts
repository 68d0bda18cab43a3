import { createInstance } from 'i18next';
import { describe, expect, it } from 'vitest';
import en from '../../../../locales/en.json';
import ja from '../../../../locales/ja.json';
import { INTERPOLATION } from '../../i18n/start';
import { placedAt } from '../../components/fields';
import { amendmentOf, asBlamed, EMPTY, FIELDS, ofArm, settingsNow, unchanged } from './amendDraft';
import { settingWords } from './settingWords';

const NOW = { topology: { kind: 'star', hub: 'a' }, wire: { numbers: 'float32', compress: false } } as const;

describe('a change to a launched pilot', () => {
  it('leaves out what was left empty', () => {
    const given = { ...EMPTY, why: 'Too slow.', epochs: 0, mergeEvery: 5 };
    expect(amendmentOf(given, NOW)).toEqual({
      arm: null,
      from_round: null,
      patch: { train: { epochs: 0 }, merge: { merge_every: 5 } },
      why: 'Too slow.',
    });
    expect(amendmentOf(EMPTY, NOW).patch).toEqual({});
  });
  it('keeps models compressed where only their numbers change', () => {
    const given = { ...EMPTY, arm: 'matched', fromRound: 4, numbers: 'int8' };
    expect(amendmentOf(given, { ...NOW, wire: { numbers: 'float32', compress: true } })).toMatchObject({
      arm: 'matched',
      from_round: 4,
      patch: { merge: { wire: { numbers: 'int8', compress: true } } },
    });
  });
});

describe('a change of one arm', () => {
  const draft = { ...EMPTY, method: 'dimat', numbers: 'int8', epochs: 2, members: ['a', 'b'], why: 'So.' } as const; // prettier-ignore
  const asked = (arm: string, trainsAlone: boolean) =>
    amendmentOf(ofArm({ ...draft, members: [...draft.members] }, arm, trainsAlone), NOW).patch;
  it('holds nothing that is of all arms', () => {
    expect(Object.keys(asked('matched', false))).toEqual(['method', 'train', 'merge']);
    expect(Object.keys(asked('', false))).toEqual(['method', 'train', 'members', 'merge']);
  });
  it('holds only training where that arm trains alone', () => {
    expect(asked('alone', true)).toEqual({ train: { epochs: 2 } });
  });
});

describe('what was wrong with a change', () => {
  it('is of no setting where nothing was asked for', () => {
    const finding = { field: 'patch', code: 'amendment_changes_nothing', params: {}, sentence: 'x' };
    expect(placedAt([finding].map(asBlamed), FIELDS)[0]?.field).toBeNull();
    expect(asBlamed({ ...finding, code: 'x' }).field).toBe('patch');
  });
  const at = (path: string) => ({
    field: FIELDS.find((field) => field.path === path) ?? null,
    finding: { field: path, code: 'x', params: {}, sentence: 'x' },
  });
  const wrong = [at('from_round'), at('patch.train.epochs'), at('nowhere')];
  const left = (draft: Partial<typeof EMPTY>) =>
    unchanged(wrong, EMPTY, { ...EMPTY, ...draft }).map(({ finding }) => finding.field);
  it('is told at a field until that is another', () => {
    expect(left({ lr: 1 })).toEqual(['from_round', 'patch.train.epochs', 'nowhere']);
    expect(left({ fromRound: 3 })).toEqual(['patch.train.epochs', 'nowhere']);
    expect(left({ fromRound: 3, epochs: 2 })).toEqual(['nowhere']);
  });
});

describe('differences and compression, of which the one does not go without the other', () => {
  const wireOf = (given: Partial<typeof EMPTY>, wire: object) =>
    amendmentOf({ ...EMPTY, ...given }, { ...NOW, wire }).patch.merge?.wire;
  it('come and go together where only one of them is said', () => {
    expect(wireOf({ deltas: 'yes' }, { numbers: 'int8', compress: false })).toEqual({
      numbers: 'int8',
      compress: true,
      deltas: true,
    });
    expect(wireOf({ compress: 'no' }, { compress: true, deltas: true })).toEqual({
      compress: false,
      deltas: false,
    });
    expect(wireOf({ deltas: 'no' }, { compress: true, deltas: true })).toEqual({
      compress: true,
      deltas: false,
    });
    expect(wireOf({ numbers: 'float16' }, { compress: true, deltas: true })).toEqual({
      numbers: 'float16',
      compress: true,
      deltas: true,
    });
  });
  it('are sent as they were chosen where they contradict each other', () => {
    expect(wireOf({ deltas: 'yes', compress: 'no' }, {})).toEqual({ compress: false, deltas: true });
  });
});

describe('weights and compression, which are set with what they belong to', () => {
  const arms = [
    { name: 'alone', method: 'local_only' },
    { name: 'matched', method: 'dimat' },
    { name: 'averaged', method: 'plain_average', topology: { kind: 'line' } },
  ];
  const spec = { topology: { kind: 'ring' }, arms } as unknown as Parameters<typeof settingsNow>[0];
  const star = {
    arm: null,
    state: 'in_force',
    from_round: 5,
    patch: { topology: { kind: 'star', hub: 'a' }, merge: { wire: { numbers: 'int8', compress: false } } },
  } as const;
  it('keep the topology of the arm, or the one that amendments gave it by then', () => {
    const given = { ...EMPTY, arm: 'averaged', mixing: 'uniform' };
    const of = (draft: typeof given) => amendmentOf(draft, settingsNow(spec, [star], draft)).patch.topology;
    expect(of(given)).toEqual({ kind: 'star', hub: 'a', mixing: 'uniform', weights: null });
    expect(of({ ...given, fromRound: 4 })).toEqual({ kind: 'line', mixing: 'uniform', weights: null });
    expect(of({ ...given, topology: 'full' })).toEqual({ kind: 'full', mixing: 'uniform' });
  });
  it('are asked for by arm where arms that merge have different topologies', () => {
    expect(settingsNow(spec, [], EMPTY).topology).toBeNull();
    expect(settingsNow(spec, [star], EMPTY).topology).toEqual({ kind: 'star', hub: 'a' });
  });
  it('leave the numbers on the way as they are', () => {
    const given = { ...EMPTY, compress: 'yes', momentum: 0.5 };
    expect(amendmentOf(given, settingsNow(spec, [star], given)).patch).toEqual({
      train: { momentum: 0.5 },
      merge: { wire: { numbers: 'int8', compress: true } },
    });
  });
});

describe('a setting', () => {
  const text = (tree: object, path: string): unknown =>
    path.split('.').reduce<unknown>((found, part) => (found as Record<string, unknown>)[part], tree);
  it.each([
    ['method', 'method'],
    ['topology.kind', 'new.topology'],
    ['topology.mixing', 'topology.mixing'],
    ['merge.merge_every', 'new.merge_every'],
    ['merge.wire.numbers', 'new.numbers'],
    ['train.epochs', 'new.epochs'],
    ['train.loss', 'new.loss'],
    ['train.class_weights', 'new.class_weights'],
    ['train.own_model', 'new.own_model'],
  ])('%s has one name in forms and in the list of changes', (changed, formed) => {
    for (const catalogue of [en, ja]) {
      expect(text(catalogue.amendments.fields, changed)).toBe(text(catalogue.ui, formed));
    }
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
    expect(said('ja')).toBe('ラウンドあたりのエポック数：「2」に変わらず「5」のまま');
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
