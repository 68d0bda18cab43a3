/* The public log of a run or pilot, newest first; older lines come when they are asked for. */
import { Button } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useFormats } from '../i18n/useFormats';
import { useSay } from '../i18n/say';
import type { PilotEvent } from '../live/stream';
import { runToName } from './runToName';

const FIRST = 10;
const MORE = 40;

interface Props {
  events: readonly PilotEvent[];
  /** By id what the run of an event is called, where there are several. */
  runs?: ReadonlyMap<string, string>;
}

const NONE: ReadonlyMap<string, string> = new Map();

export function EventLog({ events, runs = NONE }: Props) {
  const { t } = useTranslation();
  const say = useSay();
  const formats = useFormats();
  const [shown, setShown] = useState(FIRST);
  const words = (event: PilotEvent) => {
    const text = say('events', event);
    const run = runToName(event, runs);
    return run === undefined ? text : t('ui.events_of_run', { run, text });
  };
  if (events.length === 0) return <p className="aw-soft">{t('ui.events_none')}</p>;
  const older = events.length - shown;
  return (
    <>
      <ol className="aw-log" aria-label={t('ui.events')}>
        {events
          .slice(-shown)
          .reverse()
          .map((event) => (
            <li key={event.id}>
              <time dateTime={event.at}>{formats.clock(event.at)}</time>
              <span>{words(event)}</span>
            </li>
          ))}
      </ol>
      {older > 0 ? (
        <Button mt="md" size="xs" variant="default" onClick={() => setShown(shown + MORE)}>
          {t('ui.events_older', { number: formats.number(older) })}
        </Button>
      ) : null}
    </>
  );
}
