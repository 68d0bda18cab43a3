import { createInstance } from 'i18next';
import { expect, it } from 'vitest';
import en from '../../../../locales/en.json';
import ja from '../../../../locales/ja.json';
import type { Schemas } from '../../api/client';
import { INTERPOLATION } from '../../i18n/start';
import { askedWords, changedWords, fieldName } from './settingWords';

const known = createInstance();
void known.init({
  resources: { en: { translation: en }, ja: { translation: ja } },
  lng: 'en',
  interpolation: INTERPOLATION,
  initAsync: false,
});
const asked = (patch: unknown) =>
  askedWords(patch as Schemas['PilotAmendment']['patch'], known.t, (names) => names.join(' + '));

it('who takes part has a name like every other setting', () => {
  expect(['en', 'ja'].map((lang) => fieldName('members', known.getFixedT(lang)))).toEqual([
    'Sites that take part',
    '参加する拠点',
  ]);
});

it('the audit tells in both languages what an amendment changed', () => {
  const params = {
    name: 'night',
    arm: 'matched',
    'new.method': 'regmean',
    'old.method': 'dimat',
    'new.train.epochs': 3,
    'new.topology.links': null,
    'new.members.join': 'Osaka, Kobe',
  };
  expect(['en', 'ja'].map((lang) => changedWords(params, known.getFixedT(lang)))).toEqual([
    [
      'Method: Match and merge (DIMAT) → Merge by second moments (RegMean)',
      'Epochs in a round: 3',
      'Links of the topology',
      'Joining: Osaka, Kobe',
    ],
    [
      '手法：対応付けて統合（DIMAT） → 2次モーメントによる統合（RegMean）',
      'ラウンドあたりのエポック数：3',
      'トポロジーのリンク',
      '参加を始める拠点：Osaka、Kobe',
    ],
  ]);
});

it('what was asked for is told value by value, and what stays is not', () => {
  const patch = {
    method: null,
    topology: { kind: 'ring', hub: null, links: [], mixing: 'metropolis', weights: null },
    train: { epochs: 5, lr: null, keep_momentum: true },
    merge: { wire: { numbers: 'float16' } },
  };
  expect(asked(patch)).toEqual([
    'Topology: Ring',
    'Mixing weights (W): Balanced (Metropolis)',
    'Epochs in a round: 5',
    'Momentum goes on: Yes',
    'Numbers on the way: Half (16 bits)',
  ]);
  const own = { kind: 'custom', links: [{ a: 'a', b: 'b' }], mixing: 'custom', weights: [[0.5, 0.5]] };
  expect(asked({ topology: own })).toEqual([
    'Topology: Own links',
    'Links of the topology: 1',
    'Mixing weights (W): Own weights',
    'Weights of the topology: as entered',
  ]);
  expect(asked({ topology: { hub: 'a' } })).toEqual(['Hub of the topology: a']);
  expect(asked({ members: ['a', 'b'] })).toEqual(['Sites that take part: a + b']);
});
