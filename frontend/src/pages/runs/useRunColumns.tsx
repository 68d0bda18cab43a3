import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import type { Schemas } from '../../api/client';
import type { Column } from '../../components/DataTable';
import { StateBadge } from '../../components/StateBadge';
import { useFormats } from '../../i18n/useFormats';
import { Elapsed } from './Elapsed';
import { MethodsSince } from './MethodsSince';
import { nextSort, type Sort } from './runFilter';
import { useProgressWords } from './useProgressWords';

type Run = Schemas['Run'];
interface Options {
  sort?: Sort;
  onSort?: (sort: Sort) => void;
  withPilot?: boolean;
}

export function useRunColumns({ sort, onSort, withPilot }: Options): Column<Run>[] {
  const { t } = useTranslation();
  const formats = useFormats();
  const progress = useProgressWords();
  const sorted = (column: string): Pick<Column<Run>, 'sort'> => {
    if (!sort || !onSort) return {};
    const direction = sort === column ? 'ascending' : sort === `-${column}` ? 'descending' : 'none';
    return { sort: { direction, toggle: () => onSort(nextSort(sort, column)) } };
  };
  return [
    {
      key: 'arm',
      label: t('ui.arm'),
      main: true,
      cell: (run) => (
        <>
          <Link to={`/runs/${run.id}`}>{run.arm}</Link>
          <span className="aw-sub">
            {withPilot
              ? t('ui.runs.of_pilot', { pilot: run.pilot_title || run.pilot_name, seed: run.seed })
              : t('ui.runs.seed', { seed: run.seed })}
          </span>
        </>
      ),
      ...sorted('arm'),
    },
    {
      key: 'method',
      label: t('ui.method'),
      cell: (run) => (
        <>
          {t(`methods.${run.method}`)}
          <MethodsSince methods={run.methods_since} />
        </>
      ),
      ...sorted('method'),
    },
    {
      key: 'state',
      label: t('ui.state_label'),
      cell: (run) => (
        <div>
          <StateBadge of="run" state={run.state} />
          <span className="aw-sub">{progress(run)}</span>
          {run.replaced_by ? <span className="aw-sub">{t('ui.runs.replaced')}</span> : null}
        </div>
      ),
      ...sorted('state'),
    },
    {
      key: 'own',
      label: t('ui.run.own_site'),
      number: true,
      cell: (run) => formats.percent(run.own_site_mean),
    },
    {
      key: 'all',
      label: t('ui.run.all_site'),
      number: true,
      cell: (run) => formats.percent(run.all_site_mean),
    },
    {
      key: 'bytes',
      label: t('ui.run.exchanged'),
      number: true,
      cell: (run) => formats.bytes(run.bytes_exchanged),
      ...sorted('bytes_exchanged'),
    },
    { key: 'time', label: t('ui.run.time'), number: true, cell: (run) => <Elapsed run={run} /> },
    {
      key: 'created',
      label: t('ui.created'),
      cell: (run) => <span className="aw-nums">{formats.moment(run.created_at)}</span>,
      ...sorted('created_at'),
    },
  ];
}
