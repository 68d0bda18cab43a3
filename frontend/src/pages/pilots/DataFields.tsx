/* How the sites of a pilot differ: in what they hold, and in how they see it. */
import { Select } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../../api/client';
import { Panel } from '../../components/Page';
import { Whole, type FieldsProps } from './FormFields';
import { PARTITIONS, STRENGTHS, type Strengths } from './pilotDraft';
import { useSample } from './useSample';

type Props = FieldsProps & { sites: readonly Schemas['Site'][] };

export function DataFields({ draft, change, fields, sites }: Props) {
  const { t } = useTranslation();
  const sample = useSample(draft.sites, sites);
  const columns = sample?.columns ?? [];
  const grouped = draft.partition === 'column';
  const partitions = PARTITIONS.filter((kind) => kind !== 'column' || grouped || columns.length > 0);
  const setPartition = (partition: (typeof PARTITIONS)[number]) =>
    change({ partition, column: draft.column || (columns[0]?.name ?? '') });
  return (
    <Panel title={t('ui.new.data')}>
      <div className="aw-fields">
        <Select
          label={t('ui.new.partition')}
          description={t(`ui.new.partition_${draft.partition}_help`)}
          data={partitions.map((value) => ({ value, label: t(`ui.new.partition_${value}`) }))}
          value={draft.partition}
          onChange={(value) => value && setPartition(value)}
          {...fields.at('spec.data.partition')}
        />
        {draft.partition === 'dirichlet' ? (
          <Whole
            label={t('ui.new.alpha')}
            help={t('ui.new.alpha_help')}
            value={draft.alpha}
            set={(alpha) => change({ alpha })}
            {...fields.at('spec.data.partition.alpha')}
            decimals={2}
            step={0.1}
          />
        ) : null}
        {draft.partition === 'shards' ? (
          <Whole
            label={t('ui.new.classes')}
            help={t('ui.new.classes_help')}
            value={draft.classesPerSite}
            set={(classesPerSite) => change({ classesPerSite })}
            {...fields.at('spec.data.partition.classes_per_site')}
          />
        ) : null}
        {grouped ? (
          <Select
            label={t('ui.new.column')}
            description={t('ui.new.column_help')}
            data={columns.map((column) => ({
              value: column.name,
              label: t('ui.new.column_values', { column: column.name, values: column.num_values }),
            }))}
            value={draft.column}
            onChange={(column) => column && change({ column })}
            {...fields.at('spec.data.partition.column')}
          />
        ) : null}
        <Whole
          label={t(grouped ? 'ui.new.rows_most' : 'ui.new.rows_per_site')}
          help={t(grouped ? 'ui.new.rows_most_help' : 'ui.new.rows_help')}
          value={draft.rowsPerSite}
          set={(rowsPerSite) => change({ rowsPerSite })}
          step={100}
          {...fields.at('spec.data.rows_per_site')}
        />
        <Select
          label={t('ui.new.shift')}
          description={t(`ui.new.shift_${draft.shift}_help`)}
          data={(['none', 'conditions'] as const).map((value) => ({
            value,
            label: t(`ui.new.shift_${value}`),
          }))}
          value={draft.shift}
          onChange={(shift) => {
            const rotation = sample?.shape.length === 3 ? STRENGTHS.rotation : 0;
            if (shift && shift !== draft.shift) change({ shift, strengths: { ...STRENGTHS, rotation } });
          }}
          {...fields.at('spec.data.shift')}
        />
        {draft.shift === 'conditions'
          ? (Object.keys(STRENGTHS) as (keyof Strengths)[]).map((name) => (
              <Whole
                key={name}
                label={t(`ui.new.${name}`)}
                help={t(`ui.new.${name}_help`)}
                value={draft.strengths[name]}
                set={(value) => change({ strengths: { ...draft.strengths, [name]: value } })}
                {...fields.at(`spec.data.shift.${name}`)}
                decimals={2}
                step={name === 'rotation' ? 5 : 0.1}
              />
            ))
          : null}
      </div>
    </Panel>
  );
}

/** The sample data set that all of these sites hold; none where they differ. */
