/* What may be asked of a site's machine. */
import { NumberInput } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../../api/client';
import { errorAt } from '../../api/problems';

export type Limits = Schemas['SiteLimits'];
const FIELDS = [
  { name: 'max_epochs', step: 1 },
  { name: 'threads', step: 1 },
  { name: 'memory_mb', step: 100 },
] as const;

export function LimitFields(props: {
  limits: Limits;
  change: (limits: Limits) => void;
  errors: Map<string, string>;
  disabled: boolean;
}) {
  const { t } = useTranslation();
  return FIELDS.map(({ name, step }) => (
    <NumberInput
      key={name}
      label={t(`ui.sites.limit_${name}`)}
      description={t(`ui.sites.limit_${name}_help`)}
      placeholder={t('ui.sites.no_limit')}
      // What is too small is told, never turned into something else.
      clampBehavior="none"
      min={1}
      step={step}
      allowDecimal={false}
      value={props.limits[name] ?? ''}
      onChange={(value) => props.change({ ...props.limits, [name]: value === '' ? null : Number(value) })}
      error={errorAt(props.errors, `limits.${name}`)}
      disabled={props.disabled}
    />
  ));
}
