import { Button } from '@mantine/core';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { http, type Schemas } from '../../api/client';
import { useMay } from '../../api/session';
import { useAll } from '../../api/useAll';
import { Answer, Empty } from '../../components/Answer';
import { DataTable, type Column } from '../../components/DataTable';
import { Icon } from '../../components/Icon';
import { Page, Panel } from '../../components/Page';
import { Tag } from '../../components/StateBadge';
import { useFormats } from '../../i18n/useFormats';
import { useSiteNames } from '../sites/useSiteNames';

export function TopologiesPage() {
  const { t } = useTranslation();
  const formats = useFormats();
  const may = useMay('topologies.write');
  const sites = useSiteNames();
  const found = useAll('/api/v1/topologies', (query) =>
    http.GET('/api/v1/topologies', { params: { query } }),
  );
  const create = may ? (
    <Button component={Link} to="/topologies/new" leftSection={<Icon name="plus" />}>
      {t('ui.topology.new')}
    </Button>
  ) : null;
  const columns: Column<Schemas['Topology']>[] = [
    {
      key: 'name',
      label: t('ui.topology.name'),
      main: true,
      cell: (topology) => <Link to={`/topologies/${topology.id}`}>{topology.name}</Link>,
    },
    {
      key: 'kind',
      label: t('ui.topology.kind'),
      cell: (topology) => t(`ui.topology.kind_${topology.spec.kind ?? 'full'}`),
    },
    {
      key: 'sites',
      label: t('ui.nav.sites'),
      number: true,
      cell: (topology) => formats.number(topology.site_names.length),
    },
    {
      key: 'links',
      label: t('ui.topology.num_links'),
      number: true,
      cell: ({ facts }) => formats.number(facts.num_links),
    },
    {
      key: 'connected',
      label: t('ui.topology.connected'),
      cell: ({ facts }) => (
        <Tag tone={facts.connected ? 'good' : 'bad'} icon={facts.connected ? 'check' : 'cross'}>
          {t(facts.connected ? 'ui.yes' : 'ui.no')}
        </Tag>
      ),
    },
    {
      key: 'mix',
      label: t('ui.topology.rounds_to_mix'),
      number: true,
      cell: ({ facts }) => (facts.rounds_to_mix === null ? '–' : formats.number(facts.rounds_to_mix)),
    },
    {
      key: 'busiest',
      label: t('ui.topology.busiest'),
      cell: ({ facts }) =>
        facts.busiest_site
          ? sites.shown(facts.busiest_site)
          : facts.busiest_site_links > 0
            ? t('ui.topology.busiest_none', { number: formats.number(facts.busiest_site_links) })
            : '–',
    },
  ];
  return (
    <Page title={t('ui.nav.topologies')} lead={t('ui.topology.lead')} actions={create}>
      <Panel>
        <Answer query={found}>
          {(page) =>
            page.items.length === 0 ? (
              <Empty icon="topology" title={t('ui.topology.empty')} action={create}>
                <p>{t('ui.topology.empty_text')}</p>
              </Empty>
            ) : (
              <DataTable
                caption={t('ui.nav.topologies')}
                columns={columns}
                rows={page.items}
                rowKey={(topology) => topology.id}
              />
            )
          }
        </Answer>
      </Panel>
    </Page>
  );
}
