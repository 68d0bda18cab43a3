/* A change of training that no longer lets arms be measured against the one that trains alone. */
import { expect, test } from 'vitest';
import { EMPTY, type AmendDraft } from './amendDraft';
import { comparisonEnd, judgedUpTo } from './comparisonEnd';

const plan = (from_round: number, epochs: number) => ({
  from_round,
  settings: { 'train.epochs': epochs, 'train.lr': 0.1 },
  members: ['a', 'b'],
});
const arm = (name: string, next: number | null, ...plans: ReturnType<typeof plan>[]) => ({
  arm: name,
  next_round: next,
  first_free_round: next,
  plans,
});
const arms = [arm('alone', 4, plan(4, 2)), arm('dimat', 4, plan(4, 2)), arm('regmean', 4, plan(4, 2))];
const of = (draft: Partial<AmendDraft>, those = arms, made: Parameters<typeof comparisonEnd>[2] = []) =>
  comparisonEnd(those, 'alone', made, { ...EMPTY, ...draft }, 4);

test('other training of one arm ends its comparison, of the control arm that of all', () => {
  expect(of({ arm: 'dimat', epochs: 4 })).toEqual({ arms: ['dimat'], round: 4, isKeptByAll: true });
  expect(of({ arm: 'alone', lr: 0.2 })?.arms).toEqual(['dimat', 'regmean']);
});

test('of every arm, of merging, or to what it is already, it ends none', () => {
  expect(of({ epochs: 4 })).toBeNull();
  expect(of({ arm: 'dimat', method: 'regmean', mergeEvery: 2 })).toBeNull();
  expect(of({ arm: 'dimat', epochs: 2 })).toBeNull();
  expect(comparisonEnd(arms, undefined, [], { ...EMPTY, arm: 'dimat', epochs: 4 }, 4)).toBeNull();
  expect(comparisonEnd(arms, 'alone', [], { ...EMPTY, arm: 'dimat', epochs: 4 }, null)).toBeNull();
});

test('a comparison that has ended does not end again', () => {
  const made = [{ comparison_ends: [{ arm: 'dimat', round: 3 }] }];
  expect(of({ arm: 'dimat', epochs: 4 }, arms, made)).toBeNull();
  expect(of({ arm: 'alone', epochs: 4 }, arms, made)?.arms).toEqual(['regmean']);
});

test('it may end later, where only then another change would have come', () => {
  const later = [...arms.slice(0, 1), arm('dimat', 4, plan(4, 2), plan(7, 3))];
  expect(of({ arm: 'dimat', epochs: 2 }, later)?.round).toBe(7);
});

test('what is for every arm comes too late for a control arm that has ended', () => {
  const ended = [arm('alone', null), ...arms.slice(1, 2)];
  expect(of({ epochs: 4 }, ended)).toEqual({ arms: ['dimat'], round: 4, isKeptByAll: false });
});

test('all arms are judged up to the first end of a comparison', () => {
  const made = [
    { comparison_ends: [{ arm: 'dimat', round: 9 }] },
    { comparison_ends: [{ arm: 'x', round: 1 }] },
  ];
  expect([judgedUpTo(made), judgedUpTo(made, 12), judgedUpTo(made, 5)]).toEqual([8, 8, 4]);
  expect([judgedUpTo([]), judgedUpTo([], 1)]).toEqual([null, null]);
});
