/* A time zone, found by its name in the list (Asia/Tokyo) or by what people call it. */
import type { SelectProps } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { zoneIds, zoneNames, type ZoneNames } from '../i18n/zoneNames';
import { SearchSelect } from './SearchSelect';

interface Props extends Pick<SelectProps, 'error' | 'disabled'> {
  value: string;
  onChange: (zone: string) => void;
}

export function ZoneSelect({ value, ...others }: Props) {
  const { t, i18n } = useTranslation();
  const [names, setNames] = useState<ZoneNames>(new Map());
  const { language } = i18n;
  useEffect(() => {
    void zoneNames(language).then(setNames);
  }, [language]);
  return (
    <SearchSelect
      {...others}
      label={t('ui.timetable.zone')}
      description={t('ui.timetable.zone_help')}
      data={zoneIds(value).map((zone) => ({ value: zone, label: zone, also: names.get(zone) ?? [] }))}
      value={value}
    />
  );
}
