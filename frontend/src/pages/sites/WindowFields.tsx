/* When a site takes work: at any time, or from one time of the day to another. */
import { MultiSelect, Select, TextInput } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../../api/client';
import { ZoneSelect } from '../../components/ZoneSelect';
import { DAYS, ownZone, type Day } from '../pilots/timetableDraft';

export type Window = Schemas['Window'];

interface Props {
  window: Window | null;
  set: (window: Window | null) => void;
  error: (field: string) => string | undefined;
  disabled: boolean;
}

export function WindowFields({ window, set, error, disabled }: Props) {
  const { t } = useTranslation();
  const fresh = (): Window => ({ from: '20:00', to: '06:00', days: [...DAYS], time_zone: ownZone() });
  return (
    <>
      <Select
        label={t('ui.window.title')}
        description={t('ui.window.help')}
        data={(['always', 'window'] as const).map((value) => ({ value, label: t(`ui.window.${value}`) }))}
        value={window ? 'window' : 'always'}
        onChange={(value) => set(value === 'window' ? (window ?? fresh()) : null)}
        allowDeselect={false}
        disabled={disabled}
      />
      {window ? (
        <div className="aw-fields">
          {(['from', 'to'] as const).map((name) => (
            <TextInput
              key={name}
              type="time"
              label={t(`ui.window.${name}`)}
              value={window[name]}
              onChange={(event) => set({ ...window, [name]: event.currentTarget.value })}
              error={error(name)}
              disabled={disabled}
            />
          ))}
          <MultiSelect
            label={t('ui.window.days')}
            data={DAYS.map((value) => ({ value, label: t(`ui.timetable.day_${value}`) }))}
            value={[...(window.days ?? DAYS)]}
            onChange={(days) => set({ ...window, days: DAYS.filter((day: Day) => days.includes(day)) })}
            error={error('days')}
            disabled={disabled}
          />
          <ZoneSelect
            value={window.time_zone}
            onChange={(zone) => set({ ...window, time_zone: zone })}
            error={error('time_zone')}
            disabled={disabled}
          />
        </div>
      ) : null}
    </>
  );
}
