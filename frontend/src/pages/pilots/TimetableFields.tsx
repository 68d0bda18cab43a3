/* When rounds run: in words, with the next times and that of the last round, as the server works them out. */
import { Select, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { http, type Schemas } from '../../api/client';
import { Note } from '../../components/Answer';
import { Panel } from '../../components/Page';
import { ZoneSelect } from '../../components/ZoneSelect';
import { useSay } from '../../i18n/say';
import { useFormats } from '../../i18n/useFormats';
import type { FieldsProps } from './FormFields';
import { DAYS, EVERY, timetableOf, type TimetableDraft } from './timetableDraft';

const PREVIEW_AFTER_MS = 200;

export function TimetableFields({ draft, change, fields }: FieldsProps) {
  const { t } = useTranslation();
  const { timetable } = draft;
  const set = (part: Partial<TimetableDraft>) => change({ timetable: { ...timetable, ...part } });
  const { every } = timetable;
  return (
    <Panel title={t('ui.timetable.title')}>
      <div className="aw-fields">
        <Select
          label={t('ui.timetable.every')}
          description={t('ui.timetable.every_help')}
          data={EVERY.map((value) => ({ value, label: t(`ui.timetable.every_${value}`) }))}
          value={every}
          onChange={(value) => value && set({ every: value })}
          allowDeselect={false}
          {...(every === 'once' ? fields.at('spec.timetable') : {})}
        />
        {every === 'week' ? (
          <Select
            label={t('ui.timetable.day')}
            data={DAYS.map((value) => ({ value, label: t(`ui.timetable.day_${value}`) }))}
            value={timetable.day}
            onChange={(value) => value && set({ day: value })}
            allowDeselect={false}
          />
        ) : null}
        {every === 'day' || every === 'week' ? (
          <TextInput
            type="time"
            label={t('ui.timetable.time')}
            value={timetable.time}
            onChange={(event) => set({ time: event.currentTarget.value })}
            {...fields.at('spec.timetable.cron')}
          />
        ) : null}
        {every === 'cron' ? (
          <TextInput
            label={t('ui.timetable.cron')}
            description={t('ui.timetable.cron_help')}
            value={timetable.cron}
            onChange={(event) => set({ cron: event.currentTarget.value })}
            autoComplete="off"
            spellCheck={false}
            {...fields.at('spec.timetable.cron')}
          />
        ) : null}
        {every === 'once' ? null : (
          <ZoneSelect
            value={timetable.zone}
            onChange={(zone) => set({ zone })}
            {...fields.at('spec.timetable.time_zone')}
          />
        )}
      </div>
      <Meant draft={timetable} rounds={draft.rounds} />
    </Panel>
  );
}

function Meant({ draft, rounds }: { draft: TimetableDraft; rounds: number }) {
  const { t } = useTranslation();
  const say = useSay();
  const formats = useFormats();
  const [settled] = useDebouncedValue({ draft, rounds }, PREVIEW_AFTER_MS);
  const timetable = timetableOf(settled.draft);
  const isOnce = draft.every === 'once';
  const preview = useQuery({
    queryKey: ['timetable preview', timetable, settled.rounds],
    enabled: timetable !== null && settled.rounds >= 1,
    placeholderData: keepPreviousData,
    retry: false,
    queryFn: async (): Promise<Schemas['TimetablePreview']> => {
      if (!timetable) throw new Error('nothing to ask');
      const { data, error } = await http.POST('/api/v1/timetables/preview', {
        body: { timetable, rounds: settled.rounds },
      });
      if (!data) throw error;
      return data;
    },
  });
  if (isOnce) return null;
  const problem = preview.error as Schemas['Problem'] | null;
  if (problem) {
    return (
      <Note tone="bad" icon="warn">
        {problem.title} {problem.remedy}
      </Note>
    );
  }
  const found = preview.data;
  if (!found) return null;
  return (
    <div className="aw-stack" aria-live="polite">
      <p className="aw-first">
        <b>{say('timetables', found.words)}</b>
      </p>
      <dl className="aw-pairs">
        <dt>{t('ui.timetable.next')}</dt>
        <dd>
          {found.next.map((at) => (
            <div key={at}>{formats.inZones(at, settled.draft.zone)}</div>
          ))}
        </dd>
        <dt>{t('ui.timetable.last')}</dt>
        <dd>
          {found.last_round_at
            ? formats.inZones(found.last_round_at, settled.draft.zone)
            : t('ui.timetable.far_off')}
        </dd>
      </dl>
    </div>
  );
}
