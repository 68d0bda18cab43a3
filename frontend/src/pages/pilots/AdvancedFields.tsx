/* Settings that few need: they stay folded until one of them is set or has a problem. */
import { NumberInput, Select } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { FoldedPanel } from '../../components/Page';
import type { FieldsProps } from './FormFields';

const PATIENCE = 'spec.train.patience';
const CLASS_WEIGHTS = 'spec.train.class_weights';
const OWN_MODEL = 'spec.train.own_model';

export function AdvancedFields({ draft, change, fields }: FieldsProps) {
  const { t } = useTranslation();
  const [isSet] = useState(draft.patience > 0 || draft.classWeights !== 'none' || draft.ownModel);
  const isWrong = [PATIENCE, CLASS_WEIGHTS, OWN_MODEL].some((path) => fields.at(path).error !== undefined);
  return (
    <FoldedPanel title={t('ui.new.advanced')} open={isSet || isWrong}>
      <div className="aw-fields">
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
