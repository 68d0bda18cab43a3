/* What the money figures rest on. Examples until somebody says that they are their own, and marked so everywhere. */
import { Checkbox, NumberInput, Select } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Note } from '../../components/Answer';
import { Panel } from '../../components/Page';
import { SearchSelect } from '../../components/SearchSelect';
import type { FieldsProps } from './FormFields';
import { currencies } from '../../i18n/currencies';
import type { MoneyDraft } from './pilotDraft';

const AMOUNTS: readonly (readonly [Exclude<keyof MoneyDraft, 'blend' | 'ours'>, string, string])[] = [
  ['low', 'value_low', 'value_per_correct_decision.low'],
  ['likely', 'value_likely', 'value_per_correct_decision.likely'],
  ['high', 'value_high', 'value_per_correct_decision.high'],
  ['oneOff', 'one_off', 'one_off_cost'],
  ['running', 'running', 'running_cost_per_site_per_round'],
  ['cpuHour', 'cpu_hour', 'cost_per_cpu_hour'],
  ['gpuHour', 'gpu_hour', 'cost_per_gpu_hour'],
  ['gb', 'gb', 'cost_per_gb'],
  ['roundDays', 'round_days', 'round_days'],
];

/** `always`: without the choice to leave the assumptions out. */
export function MoneyFields({ draft, change, fields, always = false }: FieldsProps & { always?: boolean }) {
  const { t, i18n } = useTranslation();
  const { money } = draft;
  const set = (part: Partial<MoneyDraft>) => change({ money: { ...money, ...part } });
  return (
    <Panel title={t('ui.pilot.assumptions')}>
      <div className="aw-stack">
        {always ? null : (
          <Checkbox
            label={t('ui.new.with_money')}
            description={t('ui.new.with_money_help')}
            checked={draft.withMoney}
            onChange={(event) => change({ withMoney: event.currentTarget.checked })}
          />
        )}
        {draft.withMoney ? (
          <>
            {money.ours ? null : (
              <Note tone="warn" icon="warn">
                {t('ui.new.example_note')}
              </Note>
            )}
            <div className="aw-fields">
              <Select
                label={t('ui.new.basis')}
                description={t('ui.new.basis_help')}
                data={(['own_site', 'all_site', ...(money.blend === null ? [] : ['blend'])] as const).map(
                  (value) => ({ value, label: t(`figures.basis_${value}`) }),
                )}
                value={money.basis}
                onChange={(value) => value && set({ basis: value as MoneyDraft['basis'] })}
                {...fields.at('assumptions.value_basis')}
              />
              <SearchSelect
                label={t('ui.new.currency')}
                description={t('ui.new.currency_help')}
                data={currencies(i18n.language, money.currency, (code) =>
                  t('ui.new.currency_unknown', { code }),
                )}
                value={money.currency}
                onChange={(currency) => set({ currency })}
                {...fields.at('assumptions.currency')}
              />
              <NumberInput
                label={t('ui.new.decisions')}
                description={t('ui.new.decisions_help')}
                value={money.decisions}
                onChange={(value) => set({ decisions: value === '' ? Number.NaN : Number(value) })}
                thousandSeparator=","
                allowDecimal={false}
                {...fields.at('assumptions.decisions_per_site_per_round')}
              />
              {AMOUNTS.map(([key, text, field]) => (
                <NumberInput
                  key={key}
                  label={t(`ui.new.${text}`)}
                  description={t(`ui.new.${text}_help`)}
                  value={money[key]}
                  onChange={(value) => set({ [key]: String(value) })}
                  thousandSeparator=","
                  decimalScale={4}
                  {...fields.at(`assumptions.${field}`)}
                />
              ))}
            </div>
            <Checkbox
              label={t('ui.new.ours')}
              description={t('ui.new.ours_help')}
              checked={money.ours}
              onChange={(event) => set({ ours: event.currentTarget.checked })}
            />
          </>
        ) : null}
      </div>
    </Panel>
  );
}
