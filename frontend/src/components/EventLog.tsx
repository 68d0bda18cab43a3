/* The public log of a run or pilot, newest first. */
import { useTranslation } from 'react-i18next';
import { useFormats } from '../i18n/useFormats';
import { useSay } from '../i18n/say';
import type { PilotEvent } from '../live/stream';

export function EventLog({ events }: { events: readonly PilotEvent[] }) {
  const { t } = useTranslation();
  const say = useSay();
  const formats = useFormats();
  if (events.length === 0) return <p className="aw-soft">{t('ui.events_none')}</p>;
  return (
    <ol className="aw-log" tabIndex={0} aria-label={t('ui.events')}>
      {[...events].reverse().map((event) => (
        <li key={event.id}>
          <time dateTime={event.at}>{formats.clock(event.at)}</time>
          <span>{say('events', event)}</span>
        </li>
      ))}
    </ol>
  );
}
