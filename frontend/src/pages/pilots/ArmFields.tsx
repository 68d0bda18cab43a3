/* The arms: what is compared with what. One of them trains alone, or nothing can be said about gain. */
import { ActionIcon, Button, NumberInput, Select, TextInput } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { freshKey } from '../../api/freshKey';
import { Note } from '../../components/Answer';
import { Icon } from '../../components/Icon';
import { Panel } from '../../components/Page';
import { METHODS } from '../runs/runFilter';
import type { FieldsProps } from './FormFields';
import { SUMMED, canEndWithHead } from './armWords';
import { ENDINGS, type ArmDraft, type Ending, type Method } from './pilotDraft';

export function ArmFields({ draft, change, fields }: FieldsProps) {
  const { t } = useTranslation();
  const setArm = (at: number, part: Partial<ArmDraft>) =>
    change({ arms: draft.arms.map((arm, place) => (place === at ? { ...arm, ...part } : arm)) });
  const add = () => {
    const method = METHODS.find((one) => !draft.arms.some((arm) => arm.method === one)) ?? 'dimat';
    const names = new Set(draft.arms.map((arm) => arm.name));
    let name: string = method;
    for (let number = 2; names.has(name); number += 1) name = `${method}-${number}`;
    change({
      arms: [
        ...draft.arms,
        { key: freshKey(), name, method, mergeEvery: 1, over: 'neighbours', ending: 'training' },
      ],
    });
  };
  return (
    <Panel
      title={t('ui.pilots.arms')}
      aside={
        <Button size="xs" variant="default" leftSection={<Icon name="plus" size={15} />} onClick={add}>
          {t('ui.new.add_arm')}
        </Button>
      }
    >
      <p className="aw-soft aw-small">{t('ui.new.arms_help')}</p>
      {draft.arms.some((arm) => arm.method === 'local_only') ? null : (
        <Note tone="warn" icon="warn">
          {t('ui.new.no_control')}
        </Note>
      )}
      <div className="aw-stack">
        {draft.arms.map((arm, at) => (
          <fieldset key={arm.key} className="aw-arm">
            <legend className="aw-visually-hidden">{t('ui.new.arm_number', { number: at + 1 })}</legend>
            <TextInput
              label={t('ui.new.arm_name')}
              value={arm.name}
              onChange={(event) => setArm(at, { name: event.currentTarget.value })}
              {...fields.at(`spec.arms.${at}.name`)}
              autoComplete="off"
            />
            <Select
              label={t('ui.method')}
              data={METHODS.map((value) => ({ value, label: t(`methods.${value}`) }))}
              value={arm.method}
              onChange={(value) => value && setArm(at, { method: value as Method })}
              {...fields.at(`spec.arms.${at}.method`)}
            />
            <Select
              label={t('ui.new.over')}
              data={(['neighbours', 'tree'] as const).map((value) => ({
                value,
                label: t(`ui.new.over_${value}`),
              }))}
              value={
                arm.method === 'federated_average'
                  ? 'tree'
                  : SUMMED.includes(arm.method)
                    ? arm.over
                    : 'neighbours'
              }
              onChange={(value) => value && setArm(at, { over: value as ArmDraft['over'] })}
              disabled={!SUMMED.includes(arm.method)}
              {...fields.at(`spec.arms.${at}.merge.over`)}
            />
            <NumberInput
              label={t('ui.new.merge_every')}
              value={arm.mergeEvery}
              onChange={(value) => setArm(at, { mergeEvery: value === '' ? Number.NaN : Number(value) })}
              allowDecimal={false}
              disabled={arm.method === 'local_only'}
              {...fields.at(`spec.arms.${at}.merge`)}
            />
            <Select
              label={t('ui.new.ending')}
              data={ENDINGS.map((value) => ({
                value,
                label: t(`ui.new.ending_${value}`),
                disabled: value === 'head' && !canEndWithHead(arm.method),
              }))}
              value={arm.method === 'local_only' ? 'training' : arm.ending}
              onChange={(value) => value && setArm(at, { ending: value as Ending })}
              disabled={arm.method === 'local_only'}
              {...fields.at(`spec.arms.${at}.merge.ridge_head`)}
            />
            <ActionIcon
              variant="default"
              size={36}
              aria-label={t('ui.new.remove_arm', { name: arm.name })}
              disabled={draft.arms.length < 2}
              onClick={() => change({ arms: draft.arms.filter((_, place) => place !== at) })}
            >
              <Icon name="trash" />
            </ActionIcon>
            <p className="aw-soft aw-small aw-arm-help">{t(`ui.method_help.${arm.method}`)}</p>
          </fieldset>
        ))}
      </div>
    </Panel>
  );
}
