/* A table that turns into a list of cards on narrow screens; roles are explicit because CSS `display` drops them. */
import { Button } from '@mantine/core';
import { useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Icon } from './Icon';

export interface Column<Row> {
  key: string;
  label: string;
  cell: (row: Row) => ReactNode;
  number?: boolean;
  /** Shown as the card's heading on narrow screens. */
  main?: boolean;
  sort?: { direction: 'ascending' | 'descending' | 'none'; toggle: () => void };
}

interface Props<Row> {
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  /** Of a longer table so many rows are shown until somebody asks for all. */
  first?: number;
}

export function DataTable<Row>({ caption, columns, rows, rowKey, first }: Props<Row>) {
  const { t } = useTranslation();
  const [whole, setWhole] = useState(false);
  const shown = whole || first === undefined ? rows : rows.slice(0, first);
  const table = (
    <div className="aw-table-frame" role="region" aria-label={caption} tabIndex={0}>
      <table className="aw-table" role="table" aria-label={caption}>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map((column) => (
              <th
                key={column.key}
                role="columnheader"
                scope="col"
                className={column.number ? 'aw-number' : undefined}
                aria-sort={column.sort?.direction}
              >
                {column.sort ? <SortButton label={column.label} sort={column.sort} /> : column.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {shown.map((row) => (
            <tr role="row" key={rowKey(row)}>
              {columns.map((column) => (
                <td
                  key={column.key}
                  role="cell"
                  data-label={column.label}
                  className={[column.number ? 'aw-number' : '', column.main ? 'aw-main' : '']
                    .join(' ')
                    .trim()}
                >
                  <div>{column.cell(row)}</div>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
  if (shown.length === rows.length) return table;
  return (
    <>
      {table}
      <Button mt="md" size="xs" variant="default" onClick={() => setWhole(true)}>
        {t('ui.show_all_rows', { rows: rows.length })}
      </Button>
    </>
  );
}

function SortButton<Row>({ label, sort }: { label: string; sort: NonNullable<Column<Row>['sort']> }) {
  return (
    <button type="button" className="aw-sort" onClick={sort.toggle}>
      {label}
      {sort.direction === 'none' ? null : (
        <Icon name={sort.direction === 'ascending' ? 'up' : 'down'} size={13} />
      )}
    </button>
  );
}
