/* What the pilot is made of: a launched pilot never changes under its results; what they are worth may. */
import { Button } from '@mantine/core';
import type { TFunction } from 'i18next';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../../api/client';
import { Pairs, RoomyPanel } from '../../components/Page';
import { Tag } from '../../components/StateBadge';
import { useMay } from '../../api/session';
import { AsLaunched } from './AsLaunched';
import { ChangeMoney } from './ChangeMoney';
import type { Formats } from '../../i18n/formats';
import { useFormats } from '../../i18n/useFormats';
import { useLimitWords } from '../sites/limitWords';
import { useSiteNames } from '../sites/useSiteNames';
import { optionsOf } from '../topologies/options';
import { packingOf, silentOf, strengthsOf } from './pilotDraft';
import { armWords, ofEachRound, type Word } from './armWords';
import { pilotState } from './pilotState';
import { fieldName } from './settingWords';
import { lengthOf } from './silentWords';
import { SettingsInForce } from './SettingsInForce';
import { limitsOf } from './siteLimits';
import { sentenceOf, timetableDraftOf } from './timetableDraft';

const GOES_ON: ReadonlySet<string> = new Set(['draft', 'launched', 'paused']);

export function PilotSettings({ pilot }: { pilot: Schemas['Pilot'] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const { spec } = pilot;
  const limitWords = useLimitWords();
  const known = useSiteNames().data?.items ?? [];
  const under = {
    isDraft: pilot.state === 'draft',
    goesOn: GOES_ON.has(pilotState(pilot)),
    sites: spec.sites,
  };
  const partition = spec.data?.partition;
  const share =
    partition?.kind === 'dirichlet'
      ? t('ui.new.partition_dirichlet_value', { alpha: formats.number(partition.alpha ?? 0.5, 2) })
      : partition?.kind === 'shards'
        ? t('ui.new.partition_shards_value', { number: partition.classes_per_site ?? 2 })
        : partition?.kind === 'column'
          ? t('ui.new.partition_column_value', { column: partition.column })
          : t('ui.new.partition_iid');
  const shift = spec.data?.shift;
  const conditions =
    shift?.kind === 'conditions'
      ? t('ui.new.shift_value', {
          strengths: formats.settings(
            Object.entries(strengthsOf(shift)).map(([name, value]) =>
              t(`ui.new.${name}_value`, { value: formats.number(value, 2) }),
            ),
          ),
        })
      : t('ui.new.shift_none');
  const topology = formats.settings([
    t(`ui.topology.kind_${spec.topology?.kind ?? 'full'}`),
    ...optionsOf(spec.topology?.kind).map((option) =>
      t('ui.topology.option_value', {
        name: t(`ui.topology.${option}`),
        value: spec.topology?.[option] ?? '–',
      }),
    ),
  ]);
  const timed = sentenceOf(timetableDraftOf(spec.timetable));
  const timetable = spec.timetable ? t(timed.key, timed.params) : t('ui.timetable.every_once');
  const facts: [string, string][] = [
    [t('ui.nav.sites'), formats.list(spec.sites.map((site) => site.display_name || site.name))],
    ...(spec.waiting?.length
      ? [
          [
            t('ui.new.waiting'),
            formats.list(
              spec.sites
                .filter(({ name }) => spec.waiting?.includes(name))
                .map((site) => site.display_name || site.name),
            ),
          ] as [string, string],
        ]
      : []),
    ...limitsOf(under, known).map(({ name, limits }): [string, string] => [
      t('ui.pilot.site_limits', { name }),
      formats.settings(limitWords(limits)),
    ]),
    [t('ui.new.dataset'), formats.list([...new Set(spec.sites.map(({ data }) => datasetIn(data, t)))])],
    [t('ui.new.partition'), share],
    [
      t(partition?.kind === 'column' ? 'ui.new.rows_most' : 'ui.new.rows_per_site'),
      formats.number(spec.data?.rows_per_site ?? 500),
    ],
    [t('ui.new.shift'), conditions],
    [t('ui.new.model'), modelIn(spec.model, t)],
    [t('ui.new.topology'), topology],
    ...ofEachRound(spec).map(([field, values]): [string, string] => [
      fieldName(field, t),
      formats.settings(values.map((value) => formats.number(value, 6))),
    ]),
    [t('ui.new.loss'), t(`ui.new.loss_${spec.train?.loss ?? 'cross_entropy'}`)],
    [t('ui.new.momentum'), t(`ui.new.momentum_${spec.train?.keep_momentum ? 'kept' : 'fresh'}`)],
    [t('ui.new.silent'), silentIn(spec.silent, t, formats)],
    ...(spec.train?.patience
      ? [[t('ui.new.patience'), formats.number(spec.train.patience)] as [string, string]]
      : []),
    ...(spec.train?.class_weights === 'balanced'
      ? [[t('ui.new.class_weights'), t('ui.new.class_weights_balanced')] as [string, string]]
      : []),
    ...(spec.train?.own_model
      ? [[t('ui.new.own_model'), t('ui.new.own_model_yes')] as [string, string]]
      : []),
    [t('ui.new.numbers'), t(`ui.new.numbers_${spec.merge?.wire?.numbers ?? 'float32'}`)],
    [t('ui.new.packing'), t(`ui.new.packing_${packingOf(spec.merge?.wire)}`)],
    [t('ui.new.rounds'), formats.number(spec.rounds)],
    [t('ui.timetable.title'), timetable],
    [t('ui.new.seeds'), formats.settings((spec.seeds ?? [1]).map(String))],
    ...spec.arms.map((arm): [string, string] => [
      t('ui.pilot.arm_settings', { name: arm.name }),
      formats.settings([t(`methods.${arm.method}`), ...armWords(arm, spec).map((word) => said(word, t))]),
    ]),
  ];
  return (
    <div className="aw-grid2">
      <RoomyPanel title={t('ui.pilot.settings')}>
        <AsLaunched pilot={pilot.id} />
        <SettingsInForce pilot={pilot} />
        <Pairs facts={facts} />
      </RoomyPanel>
      <Money pilot={pilot} />
    </div>
  );
}

function said(word: Word, t: TFunction): string {
  switch (word.key) {
    case 'ui.arm_set.topology':
      return t(word.key, { kind: t(`ui.topology.kind_${word.params?.kind}`) });
    case 'ui.arm_set.numbers':
      return t(word.key, { value: t(`ui.new.numbers_${word.params?.value}`) });
    default:
      return t(word.key, word.params);
  }
}

function silentIn(given: Schemas['PilotSpec']['silent'], t: TFunction, formats: Formats): string {
  const { silent, silentMinutes: minutes } = silentOf(given);
  if (!minutes) return t('ui.new.silent_for_ever');
  const { value, unit } = lengthOf(minutes);
  const time = t(`ui.new.silent_${unit}`, { value: formats.number(value) });
  return silent === 'wait'
    ? t('ui.new.silent_wait_value', { time })
    : t('ui.new.silent_value', { policy: t(`ui.new.silent_${silent}`), time });
}

function datasetIn(data: Schemas['SiteSpec']['data'], t: TFunction): string {
  return 'dataset' in data ? t(`samples.${data.dataset}`) : (data.kind ?? 'given');
}

function modelIn(model: Schemas['PilotSpec']['model'], t: TFunction): string {
  switch (model?.kind) {
    case 'cnn':
    case 'cnn1d':
      return t('ui.new.model_width_value', {
        model: t(`ui.new.model_${model.kind}`),
        width: model.width ?? (model.kind === 'cnn' ? 16 : 32),
      });
    case 'resnet20':
    case 'resnet50':
    case 'vgg16_bn':
      return t('ui.new.model_factor_value', {
        model: t(`ui.new.model_${model.kind}`),
        factor: String(model.width ?? 1),
      });
    case 'vit':
      return t('ui.new.model_vit_value', {
        patch: model.patch ?? 4,
        dim: model.dim ?? 64,
        depth: model.depth ?? 4,
        heads: model.heads ?? 4,
      });
    default:
      return t('ui.new.model_mlp_value', { hidden: (model?.hidden ?? [128, 128]).join(' – ') });
  }
}

function Money({ pilot }: { pilot: Schemas['Pilot'] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const may = useMay('pilots.write');
  const [changing, setChanging] = useState(false);
  if (changing) return <ChangeMoney pilot={pilot} done={() => setChanging(false)} />;
  const change = may ? (
    <Button size="xs" variant="default" onClick={() => setChanging(true)}>
      {t('ui.pilot.change_assumptions')}
    </Button>
  ) : null;
  const given = pilot.assumptions;
  if (!given) {
    return (
      <RoomyPanel title={t('ui.pilot.assumptions')} aside={change}>
        <p className="aw-soft">{t('roi.no_assumptions')}</p>
      </RoomyPanel>
    );
  }
  const money = (amount: string) => formats.money(amount, given.currency);
  const value = given.value_per_correct_decision;
  const facts: [string, string][] = [
    [t('ui.new.decisions'), formats.number(given.decisions_per_site_per_round)],
    [t('ui.new.value'), `${money(value.low)} / ${money(value.likely)} / ${money(value.high)}`],
    [t('ui.new.one_off'), money(given.one_off_cost)],
    [t('ui.new.running'), money(given.running_cost_per_site_per_round)],
    [t('ui.new.cpu_hour'), money(given.cost_per_cpu_hour)],
    [t('ui.new.gpu_hour'), money(given.cost_per_gpu_hour)],
    [t('ui.new.gb'), money(given.cost_per_gb)],
    [t('ui.new.round_days'), formats.number(Number(given.round_days), 2)],
    [
      t('ui.new.basis'),
      typeof given.value_basis === 'string'
        ? t(`figures.basis_${given.value_basis}`)
        : `${t('figures.basis_blend')} (${formats.percent(Number(given.value_basis.blend))})`,
    ],
  ];
  return (
    <RoomyPanel
      title={t('ui.pilot.assumptions')}
      aside={
        <>
          {given.example ? (
            <Tag tone="warn" icon="warn">
              {t('ui.roi.example')}
            </Tag>
          ) : null}
          {change}
        </>
      }
    >
      <Pairs facts={facts} />
    </RoomyPanel>
  );
}
