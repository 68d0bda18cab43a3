import { describe, expect, it } from 'vitest';
import { courseOf, isAmended, methodsSince, plansChanged, sitesNeeded } from './amended';

const turn = (field: string, to: string, stays = false) => ({
  field,
  old: 'x',
  new: to,
  stays,
  otherwise: null,
  limited: [],
});
const made = [
  { state: 'in_force', changes: [{ round: 9, arms: ['b'], settings: [turn('method', 'regmean')] }] },
  { state: 'in_force', changes: [{ round: 4, arms: ['a', 'b'], settings: [turn('method', 'fisher'), turn('train.lr', '1')] }] },
  { state: 'in_force', changes: [{ round: 11, arms: ['b'], settings: [turn('method', 'regmean', true)] }] },
  { state: 'refused', changes: [{ round: 12, arms: ['b', 'c'], settings: [turn('method', 'dimat')] }] },
] as const satisfies readonly object[]; // prettier-ignore

describe('a pilot that was amended', () => {
  const all = made.map((one) => ({ ...one, changes: one.changes.map((change) => ({ ...change, arms: [...change.arms], settings: [...change.settings] })) })); // prettier-ignore
  it('has by arm the methods that are in force, from which round on', () => {
    expect(methodsSince(all, 'b')).toEqual([
      { round: 4, method: 'fisher' },
      { round: 9, method: 'regmean' },
    ]);
    expect(methodsSince(all, 'a')).toEqual([{ round: 4, method: 'fisher' }]);
  });
  it('has by arm what is in force of all that was changed', () => {
    const plan = (from_round: number, method: string) => ({
      from_round,
      settings: { method, 'train.lr': 1, 'train.epochs': 2 },
      members: ['s'],
    });
    const now = (arm: string) => ({
      arm,
      next_round: 5,
      first_free_round: 5,
      plans: [plan(5, 'fisher'), plan(9, 'regmean')],
    });
    expect(plansChanged(all, [now('b'), now('c')])).toEqual([
      { arm: 'b', round: 5, settings: [['method', 'fisher'], ['train.lr', 1]] },
      { arm: 'b', round: 9, settings: [['method', 'regmean'], ['train.lr', 1]] },
    ]); // prettier-ignore
    const joined = [{ state: 'in_force' as const, changes: [{ round: 2, arms: ['a'], settings: [turn('members.join', 's')] }] }]; // prettier-ignore
    expect(plansChanged(joined, [now('a')])[0]?.settings).toEqual([['members', ['s']]]);
  });
  it('has amendments that are in force everywhere, in some runs, yet to begin, or never begun', () => {
    const [run] = [{ run_id: 'r', arm: 'dimat', seed: 0 }];
    const of = (begun: boolean, ahead: (typeof run)[], missed: (typeof run)[], state: 'in_force' | 'refused' = 'in_force') =>
      courseOf({ state, begun, ahead, missed }); // prettier-ignore
    expect(of(true, [], [])).toBe('decided');
    expect(of(true, [run], [])).toBe('decided');
    expect(of(false, [run], [])).toBe('to_come');
    expect(of(false, [run], [run])).toBe('to_come');
    expect(of(false, [], [run])).toBe('never');
    expect(of(false, [], [], 'refused')).toBe('decided');
  });
  it('waits for a site that joins later from the round on in which it takes part', () => {
    const spec = { sites: [{ name: 'a' }, { name: 'b' }, { name: 'c' }], waiting: ['c'] } as unknown as Parameters<typeof sitesNeeded>[0]; // prettier-ignore
    const joins = (state: 'asked' | 'in_force', arm: string | null = null, members = ['a', 'b', 'c']) => [
      { arm, state, from_round: 2, patch: { members } },
    ];
    const at = (rounds_done: number) => [{ arm: 'x', rounds_done }];
    expect(sitesNeeded(spec, [], [])).toEqual(['a', 'b']);
    expect(sitesNeeded(spec, joins('in_force'), at(0))).toEqual(['a', 'b']);
    expect(sitesNeeded(spec, joins('in_force'), at(1))).toEqual(['a', 'b', 'c']);
    expect(sitesNeeded(spec, joins('in_force', 'y'), at(1))).toEqual(['a', 'b']);
    expect(sitesNeeded(spec, joins('asked'), at(1))).toEqual(['a', 'b']);
    expect(sitesNeeded(spec, joins('in_force', null, ['a', 'c']), at(4))).toEqual(['a', 'c']);
  });
  it('is as it was launched where a change was refused', () => {
    expect([isAmended(all), isAmended(all, 'a'), isAmended(all, 'c'), isAmended([])]).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});
