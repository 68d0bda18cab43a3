/* What may be asked of a site, and when, in few words. */
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../../api/client';
import { useFormats } from '../../i18n/useFormats';
import { DAYS } from '../pilots/timetableDraft';

type Limits = Schemas['SiteLimits'];
type Window = Schemas['Window'];
const LIMITS = ['max_epochs', 'threads', 'memory_mb'] as const;

export function useLimitWords(): (limits: Limits) => string[] {
  const { t } = useTranslation();
  const formats = useFormats();
  return (limits) =>
    LIMITS.flatMap((name) => {
      const value = limits[name];
      return value == null ? [] : [t(`ui.sites.limit_${name}_value`, { value: formats.number(value) })];
    });
}

/** From when to when, and on which days where not on all. */
export function useWindowWords(): (window: Window) => string {
  const { t } = useTranslation();
  return ({ from, to, days, time_zone: zone }) => {
    const hours = t('ui.window.hours', { from, to, zone });
    if (!days || days.length === DAYS.length) return hours;
    const names = days.map((day) => t(`ui.timetable.short_${day}`)).join(t('ui.window.between_days'));
    return t('ui.window.hours_on', { hours, days: names });
  };
}
