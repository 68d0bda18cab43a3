/* What is said of an arm that was launched to merge otherwise. */
import { expect, test } from 'vitest';
import { mergedSince } from './mergedSince';

const from = (round: number) => ({ round, arms: ['dimat'], settings: [] });
const arms = [
  { arm: 'alone', amended: [] },
  { arm: 'dimat', amended: [from(3), from(5)] },
  { arm: 'regmean', amended: [from(1), from(2), from(4), from(6), from(8)] },
];

test('of the arms that a result names, what was changed', () => {
  expect(mergedSince(arms, ['dimat'])).toEqual([{ arm: 'dimat', last: [from(3), from(5)], earlier: 0 }]);
  expect(mergedSince(arms, ['alone', undefined])).toEqual([]);
});

test('each arm once, and of many changes the last', () => {
  expect(mergedSince(arms, ['regmean', 'regmean'])).toEqual([
    { arm: 'regmean', last: [from(4), from(6), from(8)], earlier: 2 },
  ]);
});
