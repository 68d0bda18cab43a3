/* What becomes of a run that waits for a site which is silent. */
import { NumberInput, Select } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Panel } from '../../components/Page';
import { useFormats } from '../../i18n/useFormats';
import type { FieldsProps } from './FormFields';
import { SILENT, waitsFor } from './pilotDraft';
import { toldBeside } from './silentWords';

export function SilentFields({ draft, change, fields }: FieldsProps) {
  const { t } = useTranslation();
  const formats = useFormats();
  const length = toldBeside(draft.silentMinutes);
  return (
    <Panel title={t('ui.new.silent')}>
      <div className="aw-fields">
        <Select
          label={t('ui.new.silent_policy')}
          description={t(`ui.new.silent_${draft.silent}_help`)}
          data={SILENT.map((value) => ({ value, label: t(`ui.new.silent_${value}`) }))}
          value={draft.silent}
          onChange={(value) => value && change({ silent: value, silentMinutes: waitsFor(value) })}
          {...fields.at('spec.silent.policy')}
        />
        <NumberInput
          label={t('ui.new.silent_limit')}
          description={formats.sentences([
            t(draft.silent === 'wait' ? 'ui.new.silent_limit_wait_help' : 'ui.new.silent_limit_help'),
            length
              ? t('ui.new.silent_is', {
                  minutes: formats.number(draft.silentMinutes, 2),
                  time: t(`ui.new.silent_${length.unit}`, { value: formats.number(length.value) }),
                })
              : null,
          ])}
          value={draft.silentMinutes}
          onChange={(given) => change({ silentMinutes: given === '' ? 0 : Number(given) })}
          min={0}
          decimalScale={2}
          stepHoldDelay={400}
          stepHoldInterval={80}
          {...fields.at('spec.silent.limit_s')}
        />
      </div>
    </Panel>
  );
}
