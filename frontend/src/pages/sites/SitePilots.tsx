/* The pilots that a site belongs to, newest first. */
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { api, type Schemas } from '../../api/client';
import { Answer } from '../../components/Answer';
import { DataTable, type Column } from '../../components/DataTable';
import { LoadMore } from '../../components/LoadMore';
import { Panel } from '../../components/Page';
import { StateBadge } from '../../components/StateBadge';
import { useFormats } from '../../i18n/useFormats';
import { pilotState } from '../pilots/pilotState';

type Pilot = Schemas['Pilot'];

export function SitePilots({ site }: { site: string }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const pilots = api.useInfiniteQuery(
    'get',
    '/api/v1/pilots',
    { params: { query: { site, limit: 10 } } },
    { pageParamName: 'cursor', initialPageParam: null, getNextPageParam: (page) => page.next_cursor },
  );
  const columns: Column<Pilot>[] = [
    {
      key: 'name',
      label: t('ui.pilots.name'),
      main: true,
      cell: (pilot) => (
        <>
          <Link to={`/pilots/${pilot.id}`}>{pilot.title || pilot.name}</Link>
          <span className="aw-sub aw-nums">{formats.moment(pilot.launched_at)}</span>
          {pilot.site_until === null ? null : (
            <span className="aw-sub">{t('ui.sites.took_part_until', { round: pilot.site_until })}</span>
          )}
        </>
      ),
    },
    {
      key: 'state',
      label: t('ui.state_label'),
      cell: (pilot) => <StateBadge of="pilot" state={pilotState(pilot)} />,
    },
  ];
  return (
    <Panel title={t('ui.sites.pilots')}>
      <Answer query={pilots}>
        {({ pages }) => {
          const rows = pages.flatMap((page) => page.items);
          return rows.length === 0 ? (
            <p className="aw-soft">{t('ui.sites.no_pilot')}</p>
          ) : (
            <>
              <DataTable
                caption={t('ui.sites.pilots')}
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
  );
}
