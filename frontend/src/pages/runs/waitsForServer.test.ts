import { describe, expect, it } from 'vitest';
import { partAway, waitsForServer } from './waitsForServer';

const SINCE = '2026-01-05T05:46:00+00:00';
const BROKER = { ok: true, away_since: null };
const AWAY = { broker: BROKER, coordinator: { ok: false, last_seen_at: SINCE } };
const NO_BROKER = {
  broker: { ok: false, away_since: SINCE },
  coordinator: { ok: true, last_seen_at: '2026-01-05T05:50:00+00:00' },
};
const run = (state: 'running' | 'paused', rounds_done = 5) => ({ state, rounds: 8, rounds_done });

describe('a run while a part of the server is away', () => {
  it('waits for that, since then', () => {
    expect(waitsForServer(run('running'), AWAY)).toEqual({
      code: 'coordinator_away',
      params: { since: SINCE, round: 6, rounds: 8 },
    });
    expect(waitsForServer(run('running', -1), AWAY)?.code).toBe('coordinator_away_at_start');
  });
  it('waits for the broker where the coordinator says that it does', () => {
    expect(waitsForServer(run('running'), NO_BROKER)).toEqual({
      code: 'broker_away',
      params: { since: SINCE, round: 6, rounds: 8 },
    });
    expect(waitsForServer(run('running', -1), NO_BROKER)?.code).toBe('broker_away_at_start');
    expect(partAway(NO_BROKER)).toEqual({ code: 'broker_away', since: SINCE });
  });
  it('waits for nothing else where it is paused, or all is there or was never heard of', () => {
    expect(waitsForServer(run('paused'), AWAY)).toBeNull();
    const there = (ok: boolean, last_seen_at: string | null) => ({
      broker: BROKER,
      coordinator: { ok, last_seen_at },
    });
    expect(waitsForServer(run('running'), there(true, SINCE))).toBeNull();
    expect(waitsForServer(run('running'), there(false, null))).toBeNull();
    expect(waitsForServer(run('running'), undefined)).toBeNull();
  });
});
