/* What went over links, added up twice: by what it was good for, and by link. Wasted bytes stand beside all others. */
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../api/client';
import { useFormats } from '../i18n/useFormats';
import { Note } from './Answer';
import { DataTable, type Column } from './DataTable';

type Ledger = Schemas['Ledger'];
type Part = Ledger['by_purpose'][number];
type Link = Ledger['by_link'][number];
const FIRST_LINKS = 20;

export function LedgerTables({ ledger }: { ledger: Ledger }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const { total } = ledger;
  const purposes: Column<Part>[] = [
    {
      key: 'purpose',
      label: t('ui.ledger.good_for'),
      main: true,
      cell: (part) => t(`ui.ledger.purpose.${part.purpose}`),
    },
    ...amounts<Part>(),
  ];
  const links: Column<Link>[] = [
    {
      key: 'link',
      label: t('ui.ledger.link'),
      main: true,
      cell: (link) => `${link.from_display_name} → ${link.to_display_name}`,
    },
    ...amounts<Link>(),
    {
      key: 'wasted',
      label: t('ui.ledger.of_it_wasted'),
      number: true,
      cell: (link) => formats.bytes(link.wasted_bytes),
    },
  ];
  function amounts<Row extends Schemas['Bytes']>(): Column<Row>[] {
    return [
      {
        key: 'count',
        label: t('ui.ledger.fetches'),
        number: true,
        cell: (row) => formats.number(row.num_exchanges),
      },
      {
        key: 'bytes',
        label: t('ui.ledger.bytes'),
        number: true,
        cell: (row) => formats.bytes(row.num_bytes),
      },
      { key: 'time', label: t('ui.ledger.time'), number: true, cell: (row) => formats.duration(row.seconds) },
    ];
  }
  return (
    <>
      <p className="aw-figure-summary">
        {t('ui.ledger.total', {
          bytes: formats.bytes(total.num_bytes),
          number: formats.number(total.num_exchanges),
        })}{' '}
        <strong>{t('ui.ledger.raw', { bytes: formats.bytes(total.raw_data_bytes) })}</strong>
      </p>
      {total.unknown_bytes > 0 ? (
        <Note icon="info">{t('ui.ledger.unknown', { bytes: formats.bytes(total.unknown_bytes) })}</Note>
      ) : null}
      {ledger.taken_over_bytes > 0 ? (
        <Note icon="info">
          {t('ui.ledger.taken_over', { bytes: formats.bytes(ledger.taken_over_bytes) })}
        </Note>
      ) : null}
      <div className="aw-ledger">
        <DataTable
          caption={t('ui.ledger.by_purpose')}
          columns={purposes}
          rows={ledger.by_purpose.filter((part) => part.num_exchanges > 0 || part.purpose === 'wasted')}
          rowKey={(part) => part.purpose}
        />
        <div>
          <DataTable
            caption={t('ui.ledger.by_link')}
            columns={links}
            rows={ledger.by_link}
            rowKey={(link) => `${link.from_index} ${link.to_index}`}
            first={FIRST_LINKS}
          />
        </div>
      </div>
    </>
  );
}
