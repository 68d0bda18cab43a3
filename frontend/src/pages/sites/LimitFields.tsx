/* What may be asked of a site's machine. */
import { NumberInput } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../../api/client';
import { errorAt } from '../../api/problems';

export type Limits = Schemas['SiteLimits'];
const FIELDS = [
  { name: 'max_epochs', min: 1 },
  { name: 'threads', min: 1 },
  { name: 'memory_mb', min: 100 },
] as const;

export function LimitFields(props: {
  limits: Limits;
  change: (limits: Limits) => void;
  errors: Map<string, string>;
  disabled: boolean;
}) {
  const { t } = useTranslation();
  return FIELDS.map(({ name, min }) => (
    <NumberInput
      key={name}
      label={t(`ui.sites.limit_${name}`)}
      description={t(`ui.sites.limit_${name}_help`)}
      placeholder={t('ui.sites.no_limit')}
      min={min}
      allowDecimal={false}
      value={props.limits[name] ?? ''}
      onChange={(value) => props.change({ ...props.limits, [name]: value === '' ? null : Number(value) })}
      error={errorAt(props.errors, `limits.${name}`)}
      disabled={props.disabled}
    />
  ));
}
