import { describe, expect, it } from 'vitest';
import type { Schemas } from '../../api/client';
import { armWords, ofEachRound, withOwnModel } from './armWords';

const SPEC = {
  name: 'p',
  sites: [],
  rounds: 8,
  arms: [],
  merge: { merge_every: 2 },
} as unknown as Schemas['PilotSpec'];
const keys = (arm: Partial<Schemas['ArmSpec']>) =>
  armWords({ name: 'a', method: 'regmean', ...arm } as Schemas['ArmSpec'], SPEC).map((word) => word.key);

describe('withOwnModel', () => {
  it('names the arms that say so, or whose pilot does, and never the control arm', () => {
    const arms = [
      { name: 'control', method: 'local_only' },
      { name: 'as the pilot', method: 'dimat' },
      { name: 'other', method: 'dimat', train: { own_model: false } },
    ] as Schemas['ArmSpec'][];
    expect(withOwnModel({ arms, train: { own_model: true } as Schemas['PilotSpec']['train'] })).toEqual([
      'as the pilot',
    ]);
    expect(withOwnModel({ arms })).toEqual([]);
  });
});

describe('armWords', () => {
  it('says what the arm sets, and how often it merges', () => {
    expect(
      keys({ merge: { over: 'tree', final_merge: true }, train: { keep_momentum: true, lr: 0.1 } }),
    ).toEqual([
      'ui.arm_set.every',
      'ui.arm_set.over_tree',
      'ui.arm_set.final_merge',
      'ui.arm_set.momentum_kept',
      'ui.arm_set.lr',
    ]);
  });
  it('leaves out what means nothing for the method', () => {
    expect(keys({ method: 'dimat', merge: { over: 'tree', merge_every: 1 } })).toEqual([]);
    expect(keys({ method: 'dimat', merge: { warm_start: true, merge_every: 1 } })).toEqual([]);
    expect(keys({ method: 'weight_matching', merge: { warm_start: true, merge_every: 1 } })).toEqual([
      'ui.arm_set.warm_start',
    ]);
    expect(keys({ method: 'local_only', train: { loss: 'balanced_softmax' } })).toEqual([
      'ui.new.loss_balanced_softmax',
    ]);
    expect(keys({ method: 'dimat', train: { own_model: true } })).toContain('ui.arm_set.own_model_yes');
    expect(keys({ method: 'local_only', train: { patience: 0, class_weights: 'balanced' } })).toEqual([
      'ui.arm_set.class_weights_balanced',
      'ui.arm_set.patience_none',
    ]);
    expect(keys({ method: 'local_only', train: { patience: 4 } })).toEqual(['ui.arm_set.patience']);
  });
});

describe('ofEachRound', () => {
  const of = (spec: object) => ofEachRound({ ...SPEC, ...spec });
  const arm = (method: string, merge_every?: number) => ({ name: method, method, merge: { merge_every } });
  it('says how sites train in a round, and how often arms merge', () => {
    const train = { epochs: 3, lr: 0.05 };
    expect(of({ train, arms: [arm('local_only'), arm('dimat', 5), arm('regmean', 5)] })).toEqual([
      ['train.epochs', [3]],
      ['train.lr', [0.05]],
      ['merge.merge_every', [5]],
    ]);
  });
  it('says every interval where arms have different ones, and none where nobody merges', () => {
    expect(of({ arms: [arm('dimat', 5), arm('regmean'), arm('fisher', 1)] })[2]).toEqual([
      'merge.merge_every',
      [1, 2, 5],
    ]);
    expect(of({ arms: [arm('local_only')] }).map(([field]) => field)).toEqual(['train.epochs', 'train.lr']);
  });
});
