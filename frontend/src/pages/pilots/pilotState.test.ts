import { describe, expect, it } from 'vitest';
import { asksOf, isPaused, pilotState } from './pilotState';

const NONE = { queued: 0, running: 0, paused: 0, completed: 0, failed: 0, cancelled: 0 };

it('runs may be asked only for what can be done', () => {
  const asks = (runs: Partial<typeof NONE>) => asksOf({ runs_summary: { ...NONE, ...runs } });
  expect(asks({ running: 1, completed: 2 })).toEqual(['pause', 'cancel']);
  expect(asks({ paused: 2 })).toEqual(['resume', 'cancel']);
  expect(asks({ queued: 1, paused: 1 })).toEqual(['pause', 'resume', 'cancel']);
  expect(asks({ completed: 1, failed: 2, cancelled: 3 })).toEqual([]);
});

describe('the state of a pilot as people read it', () => {
  it.each([
    [{ completed: 3, cancelled: 1 }, 'finished'],
    [{ completed: 3, failed: 1 }, 'finished_in_part'],
    [{ failed: 1, cancelled: 3 }, 'failed'],
    [{ cancelled: 3 }, 'cancelled'],
  ])('says how it ended when its last run has: %o', (ended, state) => {
    expect(pilotState({ state: 'launched', runs_summary: { ...NONE, ...ended } })).toBe(state);
  });
  it('is launched while a run waits or works', () => {
    expect(pilotState({ state: 'launched', runs_summary: { ...NONE, completed: 3, queued: 1 } })).toBe(
      'launched',
    );
    expect(pilotState({ state: 'launched', runs_summary: { ...NONE, running: 3, paused: 1 } })).toBe(
      'launched',
    );
    expect(pilotState({ state: 'launched', runs_summary: NONE })).toBe('launched');
  });
  it('is paused while none of its runs that have not ended is at work', () => {
    expect(pilotState({ state: 'launched', runs_summary: { ...NONE, completed: 3, paused: 1 } })).toBe(
      'paused',
    );
  });
  it('is otherwise as it is stored', () => {
    expect(pilotState({ state: 'draft', runs_summary: NONE })).toBe('draft');
  });
});

it('a pilot is paused when no run of it is at work and some are to be resumed', () => {
  const paused = (runs: Partial<typeof NONE>) => isPaused({ runs_summary: { ...NONE, ...runs } });
  expect(paused({ paused: 2, failed: 1 })).toBe(true);
  expect([{ paused: 1, running: 1 }, { paused: 1, queued: 1 }, { completed: 2 }].some(paused)).toBe(false);
});
