import { describe, expect, it } from 'vitest';
import { waitsForCoordinator } from './waitsForCoordinator';

const SINCE = '2026-01-05T05:46:00+00:00';
const AWAY = { ok: false, last_seen_at: SINCE };
const run = (state: 'running' | 'paused', rounds_done = 5) => ({ state, rounds: 8, rounds_done });

describe('a run whose coordinator is away', () => {
  it('waits for that, since then', () => {
    expect(waitsForCoordinator(run('running'), AWAY)).toEqual({
      code: 'coordinator_away',
      params: { since: SINCE, round: 6, rounds: 8 },
    });
    expect(waitsForCoordinator(run('running', -1), AWAY)?.code).toBe('coordinator_away_at_start');
  });
  it('waits for nothing else where it is paused, or the coordinator is there or was never heard of', () => {
    expect(waitsForCoordinator(run('paused'), AWAY)).toBeNull();
    expect(waitsForCoordinator(run('running'), { ok: true, last_seen_at: SINCE })).toBeNull();
    expect(waitsForCoordinator(run('running'), { ok: false, last_seen_at: null })).toBeNull();
    expect(waitsForCoordinator(run('running'), undefined)).toBeNull();
  });
});
