import { expect, it } from 'vitest';
import { awayFor, silentAwaited } from './silentSteps';

const sites = [
  { site: 'osaka', doing: 'silent' as const, since: '2026-01-05T01:00:00+00:00' },
  { site: 'kobe', doing: 'waiting' as const, since: null },
];

it('lays what a silent site has not begun to its silence, not to a turn or to the sending', () => {
  for (const state of ['ready', 'dispatched', 'lost'] as const) {
    expect(awayFor({ state, site_name: 'osaka' }, sites)).toBe(sites[0]);
    expect(awayFor({ state, site_name: 'kobe' }, sites)).toBeUndefined();
  }
  expect(awayFor({ state: 'completed', site_name: 'osaka' }, sites)).toBeUndefined();
});

it('finds those of the silent sites that a run waits for', () => {
  const waiting = (names: string) => ({ params: { waiting: names } });
  expect(silentAwaited(waiting('Osaka, Kobe'), ['Kobe', 'Nara'])).toEqual(['Kobe']);
  expect(silentAwaited({ params: {} }, ['Kobe'])).toEqual([]);
});
