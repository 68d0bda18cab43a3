/* All sites: whether they are there, what they hold, what they do now. */
import { Button } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { api, type Schemas } from '../../api/client';
import { useMay } from '../../api/session';
import { Answer, Empty } from '../../components/Answer';
import { DataTable, type Column } from '../../components/DataTable';
import { Icon } from '../../components/Icon';
import { LiveMark } from '../../components/LiveMark';
import { LoadMore } from '../../components/LoadMore';
import { Page, Panel } from '../../components/Page';
import { StateBadge } from '../../components/StateBadge';
import { useFormats } from '../../i18n/useFormats';
import { useLive } from '../../live/useLive';
import { PartAway } from '../runs/PartAway';
import { useNow } from '../../live/useNow';
import { DoingNow } from './DoingNow';
import { useLimitWords, useWindowWords } from './limitWords';
import { OwnData } from './OwnData';

type Site = Schemas['Site'];
const FOLLOWED = ['/api/v1/sites'];

export function SitesPage() {
  const { t } = useTranslation();
  const formats = useFormats();
  const now = useNow();
  const may = useMay('sites.write');
  const { connection } = useLive({}, FOLLOWED);
  const sites = api.useInfiniteQuery(
    'get',
    '/api/v1/sites',
    { params: { query: { limit: 100 } } },
    {
      pageParamName: 'cursor',
      initialPageParam: null,
      getNextPageParam: (page) => page.next_cursor,
      refetchInterval: 10_000,
    },
  );
  const create = may ? (
    <Button component={Link} to="/sites/new" leftSection={<Icon name="plus" />}>
      {t('ui.sites.new')}
    </Button>
  ) : null;
  const columns: Column<Site>[] = [
    {
      key: 'name',
      label: t('ui.sites.site'),
      main: true,
      cell: (site) => (
        <>
          <Link to={`/sites/${site.id}`}>{site.display_name || site.name}</Link>
          {site.display_name ? <span className="aw-sub">{site.name}</span> : null}
        </>
      ),
    },
    { key: 'state', label: t('ui.state_label'), cell: (site) => <StateBadge of="site" state={site.state} /> },
    {
      key: 'seen',
      label: t('ui.sites.last_seen'),
      cell: (site) =>
        site.last_seen_at ? (
          <span className="aw-nums">{formats.ago(site.last_seen_at, now)}</span>
        ) : (
          <span className="aw-soft">{t('ui.sites.never')}</span>
        ),
    },
    { key: 'device', label: t('ui.sites.device'), cell: (site) => site.device ?? '–' },
    {
      key: 'data',
      label: t('ui.sites.data'),
      cell: (site) => (
        <>
          {t(`samples.${site.data.dataset}`)}
          {site.num_rows === null ? null : (
            <span className="aw-sub">{t('ui.sites.rows', { number: formats.number(site.num_rows) })}</span>
          )}
        </>
      ),
    },
    { key: 'limits', label: t('ui.sites.takes_work'), cell: (site) => <TakesWork site={site} /> },
    { key: 'doing', label: t('ui.sites.doing'), cell: (site) => <DoingNow site={site} /> },
  ];
  return (
    <Page
      title={t('ui.nav.sites')}
      lead={t('ui.sites.lead')}
      actions={
        <>
          <LiveMark connection={connection} />
          {create}
        </>
      }
    >
      <PartAway />
      <Panel>
        <Answer query={sites}>
          {({ pages }) => {
            const rows = pages.flatMap((page) => page.items);
            return rows.length === 0 ? (
              <Empty icon="site" title={t('ui.sites.empty')} action={create}>
                <p>{t('ui.sites.empty_text')}</p>
              </Empty>
            ) : (
              <>
                <DataTable
                  caption={t('ui.nav.sites')}
                  columns={columns}
                  rows={rows}
                  rowKey={(site) => site.id}
                />
                <LoadMore query={sites} />
              </>
            );
          }}
        </Answer>
      </Panel>
      <OwnData />
    </Page>
  );
}

function TakesWork({ site }: { site: Site }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const limits = useLimitWords()(site.limits);
  const said = useWindowWords();
  return (
    <>
      {site.window ? said(site.window) : <span className="aw-soft">{t('ui.window.always')}</span>}
      {limits.length > 0 ? <span className="aw-sub">{formats.settings(limits)}</span> : null}
    </>
  );
}
