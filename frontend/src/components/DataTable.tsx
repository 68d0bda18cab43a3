/* A table that turns into a list of cards on narrow screens; roles are explicit because CSS `display` drops them. */
import type { ReactNode } from 'react';
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
}

export function DataTable<Row>({ caption, columns, rows, rowKey }: Props<Row>) {
  return (
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
          {rows.map((row) => (
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
