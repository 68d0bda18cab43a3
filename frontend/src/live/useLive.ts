/* Keeps a page's queries fresh while events come in, at most one refetch a second. */
import { useEffect, useRef, useState } from 'react';
import { useRefresh } from '../api/session';
import { coalesced, emptyLog, openStream, type Connection, type PilotEvent } from './stream';

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
    // Of this stream alone: another one tells from the beginning.
    let log = emptyLog(KEPT_EVENTS);
    const update = coalesced(() => {
      setEvents(log.told());
      void latest.current.refresh(...latest.current.paths);
    }, GAP_MS);
    const close = openStream(
      { ...(run ? { run } : {}), ...(pilot ? { pilot } : {}), ...(replay ? { replay } : {}) },
      {
        onEvent: (event) => {
          log.add(event);
          update.call();
        },
        onRestored: () => {
          log = emptyLog(KEPT_EVENTS);
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
