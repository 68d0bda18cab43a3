import { describe, expect, it } from 'vitest';
import { pilotState } from './pilotState';

const NONE = { queued: 0, running: 0, completed: 0, failed: 0, cancelled: 0 };

describe('the state of a pilot as people read it', () => {
  it('is finished when its last run has ended', () => {
    expect(pilotState({ state: 'launched', runs_summary: { ...NONE, completed: 3, failed: 1 } })).toBe(
      'finished',
    );
  });
  it('is launched while a run waits or works', () => {
    expect(pilotState({ state: 'launched', runs_summary: { ...NONE, completed: 3, queued: 1 } })).toBe(
      'launched',
    );
    expect(pilotState({ state: 'launched', runs_summary: NONE })).toBe('launched');
  });
  it('is otherwise as it is stored', () => {
    expect(pilotState({ state: 'draft', runs_summary: NONE })).toBe('draft');
  });
});
