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
  { arm: 'alone', next_round: 6, first_free_round: 6, plans: [plan(6, 2, 'local_only')] },
  { arm: 'matched', next_round: 4, first_free_round: 5, plans: [plan(4, 2), plan(6, 5)] },
  { arm: 'ended', next_round: null, first_free_round: null, plans: [] },
];
const of = (draft: Partial<typeof EMPTY>) =>
  presentOf(arms, (arm) => arm === 'alone', { ...EMPTY, ...draft }, now);

describe('what a change would begin with', () => {
  it('is the first round that no arm has begun which it reaches, and the one that is free whatever it changes', () => {
    const rounds = (draft: Partial<typeof EMPTY>) => [of(draft).nextRound, of(draft).firstFree];
    expect(rounds({})).toEqual([6, 6]);
    expect(rounds({ epochs: 3 })).toEqual([6, 6]);
    expect(rounds({ method: 'regmean' })).toEqual([4, 5]);
    expect(rounds({ arm: 'matched', epochs: 3 })).toEqual([4, 5]);
    expect(rounds({ arm: 'ended' })).toEqual([null, null]);
  });
  it('have no round that is free where one of the arms has none left', () => {
    const last = { arm: 'last', next_round: 8, first_free_round: null, plans: [plan(8, 2)] };
    const found = presentOf([...arms, last], () => false, EMPTY, now);
    expect([found.nextRound, found.firstFree]).toEqual([8, null]);
  });
  it('says no setting that is another in the next round than in the one that is free', () => {
    const plans = [plan(4, 2), plan(5, 3, 'regmean')];
    const changing = { arm: 'matched', next_round: 4, first_free_round: 5, plans };
    const found = (draft: Partial<typeof EMPTY>) =>
      presentOf([changing], () => false, { ...EMPTY, ...draft }, now);
    expect(found({}).value('train.epochs')).toBeUndefined();
    expect(found({ fromRound: 4 }).value('train.epochs')).toBe(2);
    expect(found({ fromRound: 5 }).value('train.epochs')).toBe(3);
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
