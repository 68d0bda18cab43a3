import { expect, it } from 'vitest';
import { inItsPlace, lastToRestartFrom, mayBeRestarted, reasonToTell } from './replaced';

const advice = { code: 'site_silent_too_long', params: { round: 272 }, text: '' };
const run = { state: 'failed' as const, rounds_done: 3, replaced_by: null, restarted: null, reason: advice };

it('what was restarted is not offered to be, nor advised to', () => {
  expect([mayBeRestarted(run), reasonToTell(run)]).toEqual([true, advice]);
  const replaced = { ...run, replaced_by: 'run-2' };
  expect([mayBeRestarted(replaced), reasonToTell(replaced)]).toEqual([false, null]);
  expect(mayBeRestarted({ ...run, rounds_done: -1 })).toBe(false);
  expect(mayBeRestarted({ ...run, state: 'running' })).toBe(false);
});

it('a run is not offered to be restarted from a round after which it has nothing to do', () => {
  expect(lastToRestartFrom({ state: 'completed', rounds_done: 40 })).toBe(39);
  expect(lastToRestartFrom({ state: 'failed', rounds_done: 3 })).toBe(3);
});

it('a reason is told once, and of what is completed none', () => {
  const by = { code: 'restarted_why', params: {}, text: '' };
  expect(reasonToTell({ ...run, state: 'queued', reason: by, restarted: by })).toBeNull();
  expect(reasonToTell({ ...run, state: 'completed' })).toBeNull();
  const paused = { code: 'replaced', params: {}, text: '' };
  expect(reasonToTell({ ...run, state: 'cancelled', replaced_by: 'run-2', reason: paused })).toBe(paused);
});

it('a run that was restarted leads to the one that counts, and past the next one only where that was restarted, too', () => {
  expect(inItsPlace({ replaced_by: null, counts_instead: null })).toBeNull();
  expect(inItsPlace({ replaced_by: 'b', counts_instead: 'b' })).toEqual({ counts: 'b', next: null });
  expect(inItsPlace({ replaced_by: 'b', counts_instead: 'd' })).toEqual({ counts: 'd', next: 'b' });
});
