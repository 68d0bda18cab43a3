/* When the next round of a pilot with a timetable begins, by the clocks of the pilot and of the reader. */
import { useTranslation } from 'react-i18next';
import { useFormats } from '../i18n/useFormats';
import { Note } from './Answer';

export function NextRound({
  round,
  at,
  zone,
}: {
  round: number | null;
  at: string | null;
  zone: string | undefined;
}) {
  const { t } = useTranslation();
  const formats = useFormats();
  if (round === null || at === null) return null;
  return (
    <Note icon="info">{t('ui.timetable.next_round', { round, at: formats.inZones(at, zone ?? 'UTC') })}</Note>
  );
}
