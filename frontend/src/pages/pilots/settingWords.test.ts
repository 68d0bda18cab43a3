import { createInstance } from 'i18next';
import { expect, it } from 'vitest';
import en from '../../../../locales/en.json';
import ja from '../../../../locales/ja.json';
import type { Schemas } from '../../api/client';
import { INTERPOLATION } from '../../i18n/start';
import { askedWords, fieldName } from './settingWords';

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

it('what was asked for is told value by value, and what stays is not', () => {
  const patch = {
    method: null,
    topology: { kind: 'ring', hub: null, links: [['a', 'b']] },
    train: { epochs: 5, lr: null, keep_momentum: true },
    merge: { wire: { numbers: 'float16' } },
  };
  expect(asked(patch)).toEqual([
    'Topology: Ring',
    'Links of the topology',
    'Epochs in a round: 5',
    'Momentum goes on: Yes',
    'Numbers on the way: Half (16 bits)',
  ]);
  expect(asked({ members: ['a', 'b'] })).toEqual(['Sites that take part: a + b']);
});
