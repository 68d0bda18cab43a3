/* Keeps a page's queries fresh while events come in, at most one refetch a second. */
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { refetcher, refetchNow } from '../api/refetch';
import { coalesced, emptyLog, openStream, type Connection, type PilotEvent } from './stream';

const GAP_MS = 1000;
/** So many of the last events are told; there may be more. */
export const KEPT_EVENTS = 5000;

export function useLive(of: { run?: string; pilot?: string; replay?: boolean }, paths: readonly string[]) {
  const client = useQueryClient();
  const latest = useRef(paths);
  const [connection, setConnection] = useState<Connection>('connecting');
  const [events, setEvents] = useState<readonly PilotEvent[]>([]);
  const { run, pilot, replay } = of;

  useEffect(() => {
    latest.current = paths;
  });
  useEffect(() => {
    // Of this stream alone: another one tells from the beginning.
    let log = emptyLog(KEPT_EVENTS);
    const refetch = refetcher(client);
    const update = coalesced(() => {
      setEvents(log.told());
      refetch(latest.current);
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
          setEvents(log.told());
        },
        onConnection: (state) => {
          setConnection(state);
          // What happened while the stream was away is read again; what was under way then may never come.
          if (state === 'live') refetchNow(client, latest.current);
        },
      },
    );
    return () => {
      close();
      update.stop();
    };
  }, [client, run, pilot, replay]);

  return { connection, events };
}
