/* The numbers of a random graph, for the kinds that have some. */
import { NumberInput } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { OPTIONS, optionsOf, type Option } from './options';
import type { Topology } from './useTopology';

export type OptionAt = (option: Option) => { id: string; error: string | undefined };

export function OptionFields({ topology, at }: { topology: Topology; at: OptionAt }) {
  const { t } = useTranslation();
  const { spec } = topology.draft;
  const shown = optionsOf(spec.kind);
  if (shown.length === 0) return null;
  return (
    <div className="aw-fields">
      {OPTIONS.filter((option) => shown.includes(option)).map((option) => (
        <NumberInput
          key={option}
          {...at(option)}
          label={t(`ui.topology.${option}`)}
          description={t(`ui.topology.${option}_help${option === 'degree' ? `_${spec.kind}` : ''}`)}
          value={spec[option] ?? ''}
          onChange={(value) => topology.setSpec({ ...spec, [option]: value === '' ? null : Number(value) })}
          allowDecimal={option === 'probability'}
          decimalScale={option === 'probability' ? 3 : 0}
          step={option === 'probability' ? 0.05 : spec.kind === 'small_world' && option === 'degree' ? 2 : 1}
          required={option !== 'seed'}
          stepHoldDelay={400}
          stepHoldInterval={80}
        />
      ))}
    </div>
  );
}
