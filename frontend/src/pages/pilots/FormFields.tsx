import { MultiSelect, NumberInput, Select, TextInput } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../../api/client';
import { Note } from '../../components/Answer';
import { useFormats } from '../../i18n/useFormats';
import { Panel } from '../../components/Page';
import {
  MODELS,
  NUMBERS,
  PACKINGS,
  VIT_SETTINGS,
  takesRows,
  waitingOf,
  widthOf,
  type Numbers,
  type PilotDraft,
} from './pilotDraft';
import { useSample } from './useSample';
import type { Fields } from '../../components/fields';

export interface FieldsProps {
  draft: PilotDraft;
  change: (part: Partial<PilotDraft>) => void;
  fields: Fields;
}

export function BasicFields({
  draft,
  change,
  fields,
  sites,
  setSites,
}: FieldsProps & { sites: readonly Schemas['Site'][]; setSites: (names: readonly string[]) => void }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const chosen = sites.filter((site) => draft.sites.includes(site.name));
  const sets = new Set(chosen.map((site) => site.data.dataset));
  return (
    <Panel title={t('ui.new.basics')}>
      <div className="aw-stack">
        <div className="aw-fields">
          <TextInput
            label={t('ui.new.title')}
            description={t('ui.new.title_help')}
            value={draft.title}
            onChange={(event) => change({ title: event.currentTarget.value })}
            {...fields.at('spec.title')}
            autoComplete="off"
          />
          <TextInput
            label={t('ui.new.name')}
            description={t('ui.pilot.name_help')}
            value={draft.name}
            onChange={(event) => change({ name: event.currentTarget.value })}
            {...fields.at('spec.name')}
            required
            autoComplete="off"
          />
        </div>
        <MultiSelect
          label={t('ui.nav.sites')}
          description={t('ui.new.sites_help', { chosen: draft.sites.length, total: sites.length })}
          data={sites.map((site) => ({ value: site.name, label: site.display_name || site.name }))}
          value={[...draft.sites]}
          onChange={setSites}
          {...fields.at('spec.sites')}
          searchable
          nothingFoundMessage={t('ui.nothing_found')}
          clearable
          clearButtonProps={{ 'aria-label': t('ui.clear') }}
          required
        />
        <MultiSelect
          label={t('ui.new.waiting')}
          description={t('ui.new.waiting_help')}
          data={chosen.map((site) => ({ value: site.name, label: site.display_name || site.name }))}
          value={waitingOf(draft)}
          onChange={(waiting) => change({ waiting })}
          {...fields.at('spec.waiting')}
          searchable
          nothingFoundMessage={t('ui.nothing_found')}
          clearable
          clearButtonProps={{ 'aria-label': t('ui.clear') }}
        />
        {sets.size > 1 ? (
          <Note tone="warn" icon="warn">
            {t('ui.new.mixed_data', { names: formats.list([...sets]) })}
          </Note>
        ) : null}
      </div>
    </Panel>
  );
}

export function ModelFields({
  draft,
  change,
  fields,
  sites,
}: FieldsProps & { sites: readonly Schemas['Site'][] }) {
  const { t } = useTranslation();
  const sample = useSample(draft.sites, sites);
  return (
    <Panel title={t('ui.new.model_and_training')}>
      <div className="aw-fields">
        <Select
          label={t('ui.new.model')}
          description={t(`ui.new.model_${draft.model}_help`)}
          data={MODELS.map((value) => ({
            value,
            label: t(`ui.new.model_${value}`),
            disabled: sample !== undefined && !takesRows(value, sample.shape),
          }))}
          value={draft.model}
          onChange={(value) => value && change({ model: value })}
          {...fields.at('spec.model')}
        />
        <ModelSettings draft={draft} change={change} fields={fields} />
        <Select
          label={t('ui.new.init')}
          description={t(`ui.new.init_${draft.init}_help`)}
          data={(['different', 'common'] as const).map((value) => ({
            value,
            label: t(`ui.new.init_${value}`),
          }))}
          value={draft.init}
          onChange={(value) => value && change({ init: value })}
          {...fields.at('spec.train.init')}
        />
        <Select
          label={t('ui.new.loss')}
          description={t(`ui.new.loss_${draft.loss}_help`)}
          data={(['cross_entropy', 'balanced_softmax'] as const).map((value) => ({
            value,
            label: t(`ui.new.loss_${value}`),
          }))}
          value={draft.loss}
          onChange={(value) => value && change({ loss: value })}
          {...fields.at('spec.train.loss')}
        />
        <Select
          label={t('ui.new.momentum')}
          description={t(`ui.new.momentum_${draft.keepMomentum ? 'kept' : 'fresh'}_help`)}
          data={(['fresh', 'kept'] as const).map((value) => ({
            value,
            label: t(`ui.new.momentum_${value}`),
          }))}
          value={draft.keepMomentum ? 'kept' : 'fresh'}
          onChange={(value) => value && change({ keepMomentum: value === 'kept' })}
          {...fields.at('spec.train.keep_momentum')}
        />
        <Select
          label={t('ui.new.numbers')}
          description={t(`ui.new.numbers_${draft.numbers}_help`)}
          data={NUMBERS.map((value) => ({ value, label: t(`ui.new.numbers_${value}`) }))}
          value={draft.numbers}
          onChange={(value) => value && change({ numbers: value as Numbers })}
          {...fields.at('spec.merge.wire.numbers')}
        />
        <Select
          label={t('ui.new.packing')}
          description={t(`ui.new.packing_${draft.packing}_help`)}
          data={PACKINGS.map((value) => ({ value, label: t(`ui.new.packing_${value}`) }))}
          value={draft.packing}
          onChange={(value) => value && change({ packing: value })}
          {...fields.at('spec.merge.wire.deltas')}
        />
        <Whole
          label={t('ui.new.rounds')}
          help={t('ui.new.rounds_help')}
          value={draft.rounds}
          set={(rounds) => change({ rounds })}
          {...fields.at('spec.rounds')}
        />
        <Whole
          label={t('ui.new.epochs')}
          help={t('ui.new.epochs_help')}
          value={draft.epochs}
          set={(epochs) => change({ epochs })}
          {...fields.at('spec.train.epochs')}
        />
        <TextInput
          label={t('ui.new.seeds')}
          description={t('ui.new.seeds_help')}
          value={draft.seeds}
          onChange={(event) => change({ seeds: event.currentTarget.value })}
          {...fields.at('spec.seeds')}
          autoComplete="off"
        />
      </div>
    </Panel>
  );
}

function ModelSettings({ draft, change, fields }: FieldsProps) {
  const { t } = useTranslation();
  if (draft.model === 'mlp')
    return (
      <TextInput
        label={t('ui.new.hidden')}
        description={t('ui.new.hidden_help')}
        value={draft.hidden}
        onChange={(event) => change({ hidden: event.currentTarget.value })}
        {...fields.at('spec.model.hidden')}
        autoComplete="off"
      />
    );
  if (draft.model === 'vit')
    return VIT_SETTINGS.map((name) => (
      <Whole
        key={name}
        label={t(`ui.new.vit_${name}`)}
        help={t(`ui.new.vit_${name}_help`)}
        value={draft[name]}
        set={(value) => change({ [name]: value })}
        {...fields.at(`spec.model.${name}`)}
      />
    ));
  return widthOf(draft.model) === 'width' ? (
    <Whole
      label={t('ui.new.width')}
      help={t('ui.new.width_help')}
      value={draft.width}
      set={(width) => change({ width })}
      {...fields.at('spec.model.width')}
    />
  ) : (
    <Whole
      label={t('ui.new.width_factor')}
      help={t('ui.new.width_factor_help')}
      value={draft.widthFactor}
      set={(widthFactor) => change({ widthFactor })}
      {...fields.at('spec.model.width')}
      decimals={3}
      step={0.25}
    />
  );
}

interface WholeProps {
  id: string;
  label: string;
  help: string;
  value: number;
  set: (value: number) => void;
  step?: number;
  decimals?: number;
  error?: string | undefined;
}

export function Whole({ id, label, help, value, set, step = 1, decimals = 0, error }: WholeProps) {
  return (
    <NumberInput
      id={id}
      label={label}
      description={help}
      value={value}
      onChange={(given) => set(given === '' ? Number.NaN : Number(given))}
      step={step}
      decimalScale={decimals}
      allowDecimal={decimals > 0}
      stepHoldDelay={400}
      stepHoldInterval={80}
      error={error}
    />
  );
}
