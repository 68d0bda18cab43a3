/* The byte ledger of a run: its sums, and each exchange for whoever wants to see them. */
import { Button, Select } from '@mantine/core';
import { keepPreviousData } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, type Schemas } from '../../api/client';
import { Answer } from '../../components/Answer';
import { DataTable, type Column } from '../../components/DataTable';
import { LedgerTables } from '../../components/LedgerTables';
import { LoadMore } from '../../components/LoadMore';
import { RoomyPanel } from '../../components/Page';
import { SearchSelect } from '../../components/SearchSelect';
import { useFormats } from '../../i18n/useFormats';

type Exchange = Schemas['Exchange'];
type Link = Schemas['LinkBytes'];
const PURPOSES: readonly Exchange['purpose'][] = ['align', 'join', 'merge', 'evaluate', 'wasted'];

export function RunLedger({ run }: { run: string }) {
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  const ledger = api.useQuery('get', '/api/v1/runs/{run_id}/ledger', { params: { path: { run_id: run } } });
  if (ledger.data?.total.num_exchanges === 0) return null;
  return (
    <RoomyPanel title={t('ui.ledger.title')}>
      <Answer query={ledger}>
        {(found) => (
          <>
            <LedgerTables ledger={found} />
            <details className="aw-fold" onToggle={(event) => setOpen(event.currentTarget.open)}>
              <summary>
                <h3>{t('ui.ledger.every')}</h3>
              </summary>
              {open ? <Exchanges run={run} links={found.by_link} /> : null}
            </details>
          </>
        )}
      </Answer>
    </RoomyPanel>
  );
}

function Exchanges({ run, links }: { run: string; links: readonly Link[] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const [purpose, setPurpose] = useState('');
  const [chosen, setChosen] = useState('');
  const link = links.find((one) => keyOf(one) === chosen);
  const wanted = {
    ...(purpose ? { purpose: purpose as Exchange['purpose'] } : {}),
    ...(link ? { from_index: link.from_index, to_index: link.to_index } : {}),
  };
  const exchanges = api.useInfiniteQuery(
    'get',
    '/api/v1/runs/{run_id}/exchanges',
    { params: { path: { run_id: run }, query: { ...wanted, limit: 50 } } },
    {
      pageParamName: 'cursor',
      initialPageParam: null,
      getNextPageParam: (page) => page.next_cursor,
      placeholderData: keepPreviousData,
    },
  );
  const named = new Map(links.map((one) => [keyOf(one), nameOf(one)]));
  const columns: Column<Exchange>[] = [
    {
      key: 'link',
      label: t('ui.ledger.link'),
      main: true,
      cell: (row) => named.get(keyOf(row)) ?? `${row.from_site} → ${row.to_site}`,
    },
    { key: 'round', label: t('ui.ledger.round'), number: true, cell: (row) => formats.number(row.round) },
    { key: 'purpose', label: t('ui.ledger.good_for'), cell: (row) => t(`ui.ledger.purpose.${row.purpose}`) },
    { key: 'result', label: t('ui.ledger.came_of_it'), cell: (row) => t(`ui.ledger.result.${row.result}`) },
    {
      key: 'attempt',
      label: t('ui.steps.attempt'),
      number: true,
      cell: (row) => formats.number(row.attempt),
    },
    { key: 'format', label: t('ui.ledger.format'), cell: (row) => row.wire_format ?? '–' },
    { key: 'bytes', label: t('ui.ledger.bytes'), number: true, cell: (row) => formats.bytes(row.num_bytes) },
    {
      key: 'raw',
      label: t('ui.ledger.raw_column'),
      number: true,
      cell: (row) => formats.bytes(row.raw_data_bytes),
    },
    { key: 'time', label: t('ui.ledger.time'), number: true, cell: (row) => formats.duration(row.seconds) },
  ];
  const query = new URLSearchParams(Object.entries(wanted).map(([name, value]) => [name, String(value)]));
  return (
    <>
      <div className="aw-cols aw-row-of-fields">
        <Select
          label={t('ui.ledger.good_for')}
          data={[
            { value: '', label: t('ui.any') },
            ...PURPOSES.map((value) => ({ value, label: t(`ui.ledger.purpose.${value}`) })),
          ]}
          value={purpose}
          onChange={(value) => setPurpose(value ?? '')}
        />
        <SearchSelect
          label={t('ui.ledger.link')}
          data={[
            { value: '', label: t('ui.any') },
            ...links.map((one) => ({ value: keyOf(one), label: nameOf(one) })),
          ]}
          value={chosen}
          onChange={setChosen}
        />
        <Button
          component="a"
          variant="default"
          href={`/api/v1/runs/${run}/exchanges.csv?${query.toString()}`}
          download={`exchanges-${run}.csv`}
        >
          {t('ui.ledger.download')}
        </Button>
      </div>
      <Answer query={exchanges}>
        {({ pages }) => (
          <>
            <p className="aw-soft aw-small" role="status">
              {t('ui.ledger.found', { number: formats.number(pages[0]?.total) })}
            </p>
            <DataTable
              caption={t('ui.ledger.every')}
              columns={columns}
              rows={pages.flatMap((page) => page.items)}
              rowKey={(row) => row.id}
            />
            <LoadMore query={exchanges} />
          </>
        )}
      </Answer>
    </>
  );
}

function keyOf(link: { from_index: number; to_index: number }): string {
  return `${link.from_index}-${link.to_index}`;
}

function nameOf(link: Link): string {
  return `${link.from_display_name} → ${link.to_display_name}`;
}
