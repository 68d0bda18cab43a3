import { describe, expect, it } from 'vitest';
import { EMPTY } from './amendDraft';
import { membersAsked, presentOf } from './amendNow';

const now = { topology: null, wire: {} };
const plan = (from_round: number, epochs: number, method = 'dimat') => ({
  from_round,
  settings: { 'train.epochs': epochs, method },
  members: from_round < 6 ? ['a', 'b'] : ['a', 'b', 'c'],
});
const arms = [
  { arm: 'alone', first_free_round: 6, plans: [plan(6, 2, 'local_only')] },
  { arm: 'matched', first_free_round: 4, plans: [plan(4, 2), plan(6, 5)] },
  { arm: 'ended', first_free_round: null, plans: [] },
];
const of = (draft: Partial<typeof EMPTY>) =>
  presentOf(arms, (arm) => arm === 'alone', { ...EMPTY, ...draft }, now);

describe('what a change would begin with', () => {
  it('is the first round that is free in every arm that it reaches', () => {
    expect(of({}).firstRound).toBe(6);
    expect(of({ epochs: 3 }).firstRound).toBe(6);
    expect(of({ method: 'regmean' }).firstRound).toBe(4);
    expect(of({ arm: 'matched', epochs: 3 }).firstRound).toBe(4);
    expect(of({ arm: 'ended' }).firstRound).toBeNull();
  });
  it('are the settings as they are in its round', () => {
    expect(of({ arm: 'matched' }).value('train.epochs')).toBe(2);
    expect(of({ arm: 'matched', fromRound: 7 }).value('train.epochs')).toBe(5);
    expect(of({ arm: 'matched', fromRound: 1 }).value('train.epochs')).toBe(2);
    expect(of({ arm: 'matched' }).members).toEqual(['a', 'b', 'c']);
  });
  it('says no setting in which arms differ, and of merging only that of arms that merge', () => {
    expect(of({}).value('train.epochs')).toBeUndefined();
    expect(of({}).value('method')).toBe('dimat');
    expect(of({ arm: 'alone' }).value('method')).toBe('local_only');
    expect(of({ arm: 'ended' }).value('method')).toBeUndefined();
  });
});

it('who takes part anyway is not asked for', () => {
  expect(membersAsked(['b', 'a'], ['a', 'b'])).toEqual([]);
  expect(membersAsked(['a', 'b', 'c'], ['a', 'b'])).toEqual(['a', 'b', 'c']);
  expect(membersAsked([], ['a', 'b'])).toEqual([]);
});
