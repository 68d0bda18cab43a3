import { expect, it } from 'vitest';
import { awayFor, silentAwaited } from './silentSteps';

const sites = [
  { site: 'osaka', doing: 'silent' as const, since: '2026-01-05T01:00:00+00:00', code: 'silent', params: {} },
  { site: 'kobe', doing: 'waiting' as const, since: null, code: 'waiting', params: {} },
  { site: 'nara', doing: 'apart' as const, since: null, code: 'joins', params: {} },
];

it('lays what a silent site has not begun to its silence, not to a turn or to the sending', () => {
  for (const state of ['ready', 'dispatched', 'lost'] as const) {
    expect(awayFor({ state, site_name: 'osaka' }, sites)).toBe(sites[0]);
    expect(awayFor({ state, site_name: 'kobe' }, sites)).toBeUndefined();
  }
  expect(awayFor({ state: 'completed', site_name: 'osaka' }, sites)).toBeUndefined();
});

it('says of a site that joins later that it takes no part yet, and not that its step is about to begin', () => {
  expect(awayFor({ state: 'ready', site_name: 'nara' }, sites)).toBe(sites[2]);
  expect(awayFor({ state: 'running', site_name: 'nara' }, sites)).toBeUndefined();
});

it('finds those of the silent sites that a run waits for', () => {
  const waiting = (names: string) => ({ params: { waiting: names } });
  expect(silentAwaited(waiting('Osaka, Kobe'), ['Kobe', 'Nara'])).toEqual(['Kobe']);
  expect(silentAwaited({ params: {} }, ['Kobe'])).toEqual([]);
});
