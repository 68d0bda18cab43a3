/* One stream of events for a page: it reconnects by itself and says when it is lost. No React here. */

export interface PilotEvent {
  id: number;
  at: string;
  run_id: string | null;
  pilot_id: string | null;
  code: string;
  params: Record<string, string | number | boolean | null>;
}
export type Connection = 'connecting' | 'live' | 'lost';
export interface Listener {
  onEvent(event: PilotEvent): void;
  /** The server's database was restored from an older copy: what was told before did not happen there. All that did
      is told again, where it was asked for. */
  onRestored(): void;
  onConnection(state: Connection): void;
}
const RETRY_MS = 2000;

/** Opens the stream of a run, a pilot or (empty) everything. Returns what closes it. */
export function openStream(
  of: { run?: string; pilot?: string; replay?: boolean },
  listener: Listener,
  make: (url: string) => EventSource = (url) => new EventSource(url),
): () => void {
  let last: number | null = of.replay ? 0 : null;
  let at = ''; // of the last event: an id alone may be another's after a restore
  let source: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;

  const address = () => {
    const query = new URLSearchParams();
    if (of.run) query.set('run', of.run);
    if (of.pilot) query.set('pilot', of.pilot);
    if (last !== null) query.set('after', String(last));
    if (at) query.set('at', at);
    return `/api/v1/events?${query.toString()}`;
  };
  const open = () => {
    if (closed) return;
    const current = make(address());
    source = current;
    current.onopen = () => listener.onConnection('live');
    const beginAnew = () => {
      listener.onRestored();
      last = of.replay ? 0 : null;
      at = '';
      current.close();
      open();
    };
    // The server says so where it no longer has the last event that was seen here.
    current.addEventListener('restored', beginAnew);
    current.onmessage = (message: MessageEvent<string>) => {
      const event = JSON.parse(message.data) as PilotEvent;
      // The server sends no event twice, and ids grow: a smaller one is of a database that counts from an earlier one.
      if (last !== null && event.id <= last) {
        if (of.replay) {
          beginAnew();
          return;
        }
        listener.onRestored();
      }
      last = event.id;
      at = event.at;
      listener.onEvent(event);
    };
    current.onerror = () => {
      listener.onConnection('lost');
      // A browser gives up for good after an answer that is no stream (a restarting server): open anew.
      current.close();
      clearTimeout(timer);
      timer = setTimeout(open, RETRY_MS);
    };
  };
  open();
  return () => {
    closed = true;
    clearTimeout(timer);
    source?.close();
  };
}

/** The last `kept` events. What is told stays the same list as long as nothing is added. */
export function emptyLog(kept: number): { add(event: PilotEvent): void; told(): readonly PilotEvent[] } {
  let known: readonly PilotEvent[] = [];
  let fresh: PilotEvent[] = [];
  return {
    add(event) {
      fresh.push(event);
    },
    told() {
      if (fresh.length > 0) known = [...known, ...fresh].slice(-kept);
      fresh = [];
      return known;
    },
  };
}

/** Calls `act` at most once per `gap_ms`, and once more after the last call. */
export function coalesced(act: () => void, gap_ms: number): { call(): void; stop(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last = -Infinity;
  const fire = () => {
    timer = undefined;
    last = performance.now();
    act();
  };
  return {
    call() {
      if (timer !== undefined) return;
      timer = setTimeout(fire, Math.max(0, last + gap_ms - performance.now()));
    },
    stop() {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
