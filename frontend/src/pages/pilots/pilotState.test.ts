import { describe, expect, it } from 'vitest';
import { pilotState } from './pilotState';

const NONE = { queued: 0, running: 0, paused: 0, completed: 0, failed: 0, cancelled: 0 };

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
    expect(pilotState({ state: 'launched', runs_summary: { ...NONE, completed: 3, paused: 1 } })).toBe(
      'launched',
    );
    expect(pilotState({ state: 'launched', runs_summary: NONE })).toBe('launched');
  });
  it('is otherwise as it is stored', () => {
    expect(pilotState({ state: 'draft', runs_summary: NONE })).toBe('draft');
  });
});
