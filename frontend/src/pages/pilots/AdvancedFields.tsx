/* Settings that few need: they stay folded until one of them is set or has a problem. */
import { NumberInput, Select } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { FoldedPanel } from '../../components/Page';
import type { FieldsProps } from './FormFields';
import { SILENT, waitsFor } from './pilotDraft';

const PATIENCE = 'spec.train.patience';
const CLASS_WEIGHTS = 'spec.train.class_weights';
const OWN_MODEL = 'spec.train.own_model';
const SILENT_POLICY = 'spec.silent.policy';
const SILENT_LIMIT = 'spec.silent.limit_s';

export function AdvancedFields({ draft, change, fields }: FieldsProps) {
  const { t } = useTranslation();
  const [isSet] = useState(
    draft.patience > 0 || draft.classWeights !== 'none' || draft.ownModel || draft.silent !== 'wait',
  );
  const isWrong = [PATIENCE, CLASS_WEIGHTS, OWN_MODEL, SILENT_POLICY, SILENT_LIMIT].some(
    (path) => fields.at(path).error !== undefined,
  );
  return (
    <FoldedPanel title={t('ui.new.advanced')} open={isSet || isWrong}>
      <div className="aw-fields">
        <Select
          label={t('ui.new.silent')}
          description={t(`ui.new.silent_${draft.silent}_help`)}
          data={SILENT.map((value) => ({ value, label: t(`ui.new.silent_${value}`) }))}
          value={draft.silent}
          onChange={(value) => value && change({ silent: value, silentMinutes: waitsFor(value) })}
          {...fields.at(SILENT_POLICY)}
        />
        <NumberInput
          label={t('ui.new.silent_limit')}
          description={t(
            draft.silent === 'wait' ? 'ui.new.silent_limit_wait_help' : 'ui.new.silent_limit_help',
          )}
          value={draft.silentMinutes}
          onChange={(given) => change({ silentMinutes: given === '' ? 0 : Number(given) })}
          min={0}
          stepHoldDelay={400}
          stepHoldInterval={80}
          {...fields.at(SILENT_LIMIT)}
        />
        <NumberInput
          label={t('ui.new.patience')}
          description={t('ui.new.patience_help')}
          value={draft.patience}
          onChange={(given) => change({ patience: given === '' ? Number.NaN : Number(given) })}
          min={0}
          allowDecimal={false}
          stepHoldDelay={400}
          stepHoldInterval={80}
          {...fields.at(PATIENCE)}
        />
        <Select
          label={t('ui.new.class_weights')}
          description={t(`ui.new.class_weights_${draft.classWeights}_help`)}
          data={(['none', 'balanced'] as const).map((value) => ({
            value,
            label: t(`ui.new.class_weights_${value}`),
          }))}
          value={draft.classWeights}
          onChange={(value) => value && change({ classWeights: value })}
          {...fields.at(CLASS_WEIGHTS)}
        />
        <Select
          label={t('ui.new.own_model')}
          description={t('ui.new.own_model_help')}
          data={(['no', 'yes'] as const).map((value) => ({
            value,
            label: t(`ui.new.own_model_${value}`),
          }))}
          value={draft.ownModel ? 'yes' : 'no'}
          onChange={(value) => value && change({ ownModel: value === 'yes' })}
          {...fields.at(OWN_MODEL)}
        />
      </div>
    </FoldedPanel>
  );
}
