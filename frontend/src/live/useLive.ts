/* Keeps a page's queries fresh while events come in, at most one refetch a second. */
import { useEffect, useRef, useState } from 'react';
import { useRefresh } from '../api/session';
import { coalesced, openStream, type Connection, type PilotEvent } from './stream';

const GAP_MS = 1000;
const KEPT_EVENTS = 5000;

export function useLive(of: { run?: string; pilot?: string; replay?: boolean }, paths: readonly string[]) {
  const refresh = useRefresh();
  const latest = useRef({ refresh, paths });
  const [connection, setConnection] = useState<Connection>('connecting');
  const [events, setEvents] = useState<readonly PilotEvent[]>([]);
  const { run, pilot, replay } = of;

  useEffect(() => {
    latest.current = { refresh, paths };
  });
  useEffect(() => {
    let fresh: PilotEvent[] = [];
    const update = coalesced(() => {
      const batch = fresh;
      fresh = [];
      if (batch.length > 0) setEvents((known) => joined(known, batch));
      void latest.current.refresh(...latest.current.paths);
    }, GAP_MS);
    const close = openStream(
      { ...(run ? { run } : {}), ...(pilot ? { pilot } : {}), ...(replay ? { replay } : {}) },
      {
        onEvent: (event) => {
          fresh.push(event);
          update.call();
        },
        onConnection: (state) => {
          setConnection(state);
          // What happened while the stream was away is read again.
          if (state === 'live') update.call();
        },
      },
    );
    return () => {
      close();
      update.stop();
    };
  }, [run, pilot, replay]);

  return { connection, events };
}

function joined(known: readonly PilotEvent[], batch: readonly PilotEvent[]): readonly PilotEvent[] {
  const last = known.at(-1)?.id ?? -1;
  return [...known, ...batch.filter((event) => event.id > last)].slice(-KEPT_EVENTS);
}
