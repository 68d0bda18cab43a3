/* When the next round of a pilot with a timetable begins, by the clocks of the pilot and of the reader; and until when a site's
   time window holds it up. */
import { useTranslation } from 'react-i18next';
import type { Text } from '../api/client';
import { useFormats } from '../i18n/useFormats';
import { Note } from './Answer';
import { heldUntil } from './heldUntil';

export function NextRound({
  round,
  at,
  zone,
  progress,
}: {
  round: number | null;
  at: string | null;
  zone: string | undefined;
  /** Of a run: what it waits for now. */
  progress?: Text;
}) {
  const { t } = useTranslation();
  const formats = useFormats();
  if (round === null || at === null) return null;
  const due = { round, at: formats.inZones(at, zone ?? 'UTC') };
  const opens = heldUntil(progress, at);
  if (opens === null) return <Note icon="info">{t('ui.timetable.next_round', due)}</Note>;
  const waiting = String(progress?.params.waiting ?? '').split(', ');
  return (
    <Note icon="info">
      {t('ui.timetable.next_round_window', {
        ...due,
        waiting: formats.list(waiting),
        opens: formats.inZones(opens, String(progress?.params.zone ?? 'UTC')),
      })}
    </Note>
  );
}
