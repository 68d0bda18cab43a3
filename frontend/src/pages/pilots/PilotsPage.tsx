import { Button } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { api, type Schemas } from '../../api/client';
import { useMay } from '../../api/session';
import { Answer, Empty } from '../../components/Answer';
import { DataTable, type Column } from '../../components/DataTable';
import { Icon } from '../../components/Icon';
import { LoadMore } from '../../components/LoadMore';
import { Page, Panel } from '../../components/Page';
import { StateBadge } from '../../components/StateBadge';
import { useFormats } from '../../i18n/useFormats';
import { useLive } from '../../live/useLive';
import { pilotState } from './pilotState';

type Pilot = Schemas['Pilot'];
const FOLLOWED = ['/api/v1/pilots'];

export function PilotsPage() {
  const { t } = useTranslation();
  const formats = useFormats();
  const may = useMay('pilots.write');
  useLive({}, FOLLOWED);
  const pilots = api.useInfiniteQuery(
    'get',
    '/api/v1/pilots',
    { params: { query: { limit: 50 } } },
    { pageParamName: 'cursor', initialPageParam: null, getNextPageParam: (page) => page.next_cursor },
  );
  const create = may ? (
    <Button component={Link} to="/pilots/new" leftSection={<Icon name="plus" />}>
      {t('ui.pilots.new')}
    </Button>
  ) : null;
  const columns: Column<Pilot>[] = [
    {
      key: 'name',
      label: t('ui.pilots.name'),
      main: true,
      cell: (pilot) => (
        <>
          <Link to={`/pilots/${pilot.id}`}>{pilot.title || pilot.name}</Link>
          {pilot.title ? <span className="aw-sub">{pilot.name}</span> : null}
        </>
      ),
    },
    {
      key: 'state',
      label: t('ui.state_label'),
      cell: (pilot) => <StateBadge of="pilot" state={pilotState(pilot)} />,
    },
    {
      key: 'sites',
      label: t('ui.nav.sites'),
      number: true,
      cell: (pilot) => formats.number(pilot.spec.sites.length),
    },
    {
      key: 'arms',
      label: t('ui.pilots.arms'),
      number: true,
      cell: (pilot) => formats.number(pilot.spec.arms.length),
    },
    {
      key: 'rounds',
      label: t('ui.pilots.rounds'),
      number: true,
      cell: (pilot) => formats.number(pilot.spec.rounds),
    },
    { key: 'runs', label: t('ui.nav.runs'), cell: (pilot) => <RunCounts pilot={pilot} /> },
    {
      key: 'when',
      label: t('ui.pilots.when'),
      cell: (pilot) => (
        <span className="aw-nums">{formats.moment(pilot.launched_at ?? pilot.created_at)}</span>
      ),
    },
  ];
  return (
    <Page title={t('ui.nav.pilots')} lead={t('ui.pilots.lead')} actions={create}>
      <Panel>
        <Answer query={pilots}>
          {({ pages }) => {
            const rows = pages.flatMap((page) => page.items);
            return rows.length === 0 ? (
              <Empty icon="pilot" title={t('ui.pilots.empty')} action={create}>
                <p>{t('ui.pilots.empty_text')}</p>
              </Empty>
            ) : (
              <>
                <DataTable
                  caption={t('ui.nav.pilots')}
                  columns={columns}
                  rows={rows}
                  rowKey={(pilot) => pilot.id}
                />
                <LoadMore query={pilots} />
              </>
            );
          }}
        </Answer>
      </Panel>
    </Page>
  );
}

function RunCounts({ pilot }: { pilot: Pilot }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const counts = Object.entries(pilot.runs_summary).filter(([, number]) => number > 0);
  if (counts.length === 0) return <span className="aw-soft">{t('ui.pilots.no_runs')}</span>;
  return (
    <>
      {counts.map(([state, number]) => `${t(`states.run.${state}`)} ${formats.number(number)}`).join(' · ')}
    </>
  );
}
