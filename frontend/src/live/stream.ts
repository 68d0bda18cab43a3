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
  let source: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;

  const address = () => {
    const query = new URLSearchParams();
    if (of.run) query.set('run', of.run);
    if (of.pilot) query.set('pilot', of.pilot);
    if (last !== null) query.set('after', String(last));
    return `/api/v1/events?${query.toString()}`;
  };
  const open = () => {
    if (closed) return;
    const current = make(address());
    source = current;
    current.onopen = () => listener.onConnection('live');
    current.onmessage = (message: MessageEvent<string>) => {
      const event = JSON.parse(message.data) as PilotEvent;
      last = event.id;
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
