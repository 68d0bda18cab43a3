import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { coalesced, emptyLog, openStream, type Connection, type PilotEvent } from './stream';

class Source {
  static made: Source[] = [];
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  closed = false;
  private heard = new Map<string, () => void>();
  constructor(readonly url: string) {
    Source.made.push(this);
  }
  close() {
    this.closed = true;
  }
  addEventListener(name: string, act: () => void) {
    this.heard.set(name, act);
  }
  hear(name: string) {
    this.heard.get(name)?.();
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  Source.made = [];
});
afterEach(() => vi.useRealTimers());

function follow(replay = true) {
  const events: PilotEvent[] = [];
  const states: Connection[] = [];
  const close = openStream(
    { run: 'r', replay },
    {
      onEvent: (event) => events.push(event),
      onRestored: () => (events.length = 0),
      onConnection: (state) => states.push(state),
    },
    (url) => new Source(url) as unknown as EventSource,
  );
  return { events, states, close };
}
const event = (id: number, at = '') => ({
  data: JSON.stringify({ id, at, run_id: 'r', pilot_id: 'p', code: 'x', params: {} }),
});

describe('the stream of events', () => {
  it('asks for what happened before', () => {
    follow();
    expect(Source.made[0]?.url).toBe('/api/v1/events?run=r&after=0');
  });
  it('comes back by itself and goes on after the last event it saw', () => {
    const { states, events } = follow();
    Source.made[0]?.onopen?.();
    Source.made[0]?.onmessage?.(event(7));
    Source.made[0]?.onerror?.();
    vi.advanceTimersByTime(3000);
    expect(Source.made[0]?.closed).toBe(true);
    expect(Source.made[1]?.url).toBe('/api/v1/events?run=r&after=7');
    Source.made[1]?.onopen?.();
    expect(states).toEqual(['live', 'lost', 'live']);
    expect(events).toHaveLength(1);
  });
  it('begins anew when the database was restored from an older copy', () => {
    const { events } = follow();
    for (const id of [1, 7, 9]) Source.made[0]?.onmessage?.(event(id));
    Source.made[0]?.onerror?.();
    vi.advanceTimersByTime(3000);
    expect(Source.made[1]?.url).toBe('/api/v1/events?run=r&after=9');
    Source.made[1]?.onmessage?.(event(8)); // 7 and 9 were of a future that is lost
    expect(Source.made[1]?.closed).toBe(true);
    expect(Source.made[2]?.url).toBe('/api/v1/events?run=r&after=0');
    for (const id of [1, 8, 9]) Source.made[2]?.onmessage?.(event(id));
    expect(events.map(({ id }) => id)).toEqual([1, 8, 9]);
    expect(Source.made).toHaveLength(3);
  });
  it('begins anew where the server no longer has the last event that was seen, whatever its id is', () => {
    const { events } = follow();
    const at = '2026-11-26T03:00:00.5Z';
    Source.made[0]?.onmessage?.(event(9, at));
    Source.made[0]?.onerror?.();
    vi.advanceTimersByTime(3000);
    expect(Source.made[1]?.url).toBe('/api/v1/events?run=r&after=9&at=2026-11-26T03%3A00%3A00.5Z');
    Source.made[1]?.hear('restored'); // other runs' events have pushed this run's next ids past 9
    expect(Source.made[1]?.closed).toBe(true);
    expect(Source.made[2]?.url).toBe('/api/v1/events?run=r&after=0');
    Source.made[2]?.onmessage?.(event(12));
    expect(events.map(({ id }) => id)).toEqual([12]);
    expect(Source.made).toHaveLength(3);
  });
  it('goes on after the event of the restored database where none are replayed', () => {
    const { events } = follow(false);
    for (const id of [9, 4]) Source.made[0]?.onmessage?.(event(id));
    Source.made[0]?.onerror?.();
    vi.advanceTimersByTime(3000);
    expect(Source.made[1]?.url).toBe('/api/v1/events?run=r&after=4');
    expect(events.map(({ id }) => id)).toEqual([4]);
  });
  it('stays closed once the page is left', () => {
    const { close } = follow();
    Source.made[0]?.onerror?.();
    close();
    vi.advanceTimersByTime(10_000);
    expect(Source.made).toHaveLength(1);
  });
});

describe('the log of events', () => {
  it('keeps the last ones, each once, and is a new list only when there is something new', () => {
    const log = emptyLog(3);
    const told = () => log.told().map(({ id }) => id);
    for (const id of [1, 2]) log.add(JSON.parse(event(id).data) as PilotEvent);
    expect(told()).toEqual([1, 2]);
    expect(log.told()).toBe(log.told());
    for (const id of [3, 4]) log.add(JSON.parse(event(id).data) as PilotEvent);
    expect(told()).toEqual([2, 3, 4]);
  });
});

describe('a refetch', () => {
  it('happens at most once a second however many events come', () => {
    let calls = 0;
    const update = coalesced(() => (calls += 1), 1000);
    for (let tick = 0; tick < 30; tick += 1) {
      update.call();
      vi.advanceTimersByTime(100);
    }
    expect(calls).toBeLessThanOrEqual(4);
    expect(calls).toBeGreaterThanOrEqual(3);
  });
  it('follows the last event, so that nothing stays unseen', () => {
    let calls = 0;
    const update = coalesced(() => (calls += 1), 1000);
    update.call();
    vi.advanceTimersByTime(1);
    update.call();
    vi.advanceTimersByTime(2000);
    expect(calls).toBe(2);
  });
});
