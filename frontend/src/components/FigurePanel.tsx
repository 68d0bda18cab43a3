/* A chart with its text summary and, on request, its numbers as a table. */
import { Button, useComputedColorScheme } from '@mantine/core';
import { keepPreviousData } from '@tanstack/react-query';
import { useId, useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { api, type Schemas } from '../api/client';
import { useFormats } from '../i18n/useFormats';
import { Answer } from './Answer';
import Chart from './Chart';
import { Icon } from './Icon';
import { Panel } from './Page';

type Name = 'accuracy' | 'communication' | 'roi';
const NOTES = 3;
interface Props {
  of: { run: string } | { pilot: string };
  name: Name;
  /** Said instead of the figure's own summary, which the chart's label keeps. */
  note?: ReactNode;
}

export function FigurePanel({ of, name, note }: Props) {
  const { t } = useTranslation();
  const query = useFigure(of, name);
  const [open, setOpen] = useState(false);
  const id = useId();
  const formats = useFormats();
  const title = t(`ui.figure.${name}`);
  const toggle = query.data && query.data.table.rows.length > 0 && (
    <Button
      size="xs"
      variant="default"
      leftSection={<Icon name="table" size={15} />}
      aria-expanded={open}
      aria-controls={id}
      onClick={() => setOpen(!open)}
    >
      {t(open ? 'ui.figure.hide_table' : 'ui.figure.show_table')}
      <span className="aw-visually-hidden"> {title}</span>
    </Button>
  );
  return (
    <Panel title={title} aside={toggle}>
      {note}
      <Answer query={query}>
        {(figure) => (
          <>
            {note ? null : <p className="aw-figure-summary">{figure.summary}</p>}
            {note ? null : <Notes of={figure.notes} onPilot={'pilot' in of} />}
            {figure.data.length > 0 ? (
              <Chart
                figure={figure}
                label={`${title}. ${formats.sentences([figure.summary, ...figure.notes])}`}
              />
            ) : null}
            <div id={id} hidden={!open}>
              {open ? <NumbersTable caption={title} table={figure.table} /> : null}
            </div>
          </>
        )}
      </Answer>
    </Panel>
  );
}

/** Amendments over a chart: the first few, and where all of them stand. */
function Notes({ of, onPilot }: { of: readonly string[]; onPilot: boolean }) {
  const { t } = useTranslation();
  const more = of.length - NOTES;
  if (of.length === 0) return null;
  return (
    <ul className="aw-figure-summary aw-notes">
      {of.slice(0, NOTES).map((note, at) => (
        <li key={at}>{note}</li>
      ))}
      {more > 0 ? (
        <li>{t(onPilot ? 'ui.figure.more_notes_here' : 'ui.figure.more_notes', { more })}</li>
      ) : null}
    </ul>
  );
}

function useFigure(of: Props['of'], name: Name) {
  const { i18n } = useTranslation();
  const theme = useComputedColorScheme('light');
  const query = { lang: i18n.language, theme };
  const run = api.useQuery(
    'get',
    '/api/v1/runs/{run_id}/figures/{name}',
    { params: { path: { run_id: 'run' in of ? of.run : '', name }, query } },
    { enabled: 'run' in of, placeholderData: keepPreviousData },
  );
  const pilot = api.useQuery(
    'get',
    '/api/v1/pilots/{pilot_id}/figures/{name}',
    { params: { path: { pilot_id: 'pilot' in of ? of.pilot : '', name }, query } },
    { enabled: 'pilot' in of, placeholderData: keepPreviousData },
  );
  return 'run' in of ? run : pilot;
}

function NumbersTable({ caption, table }: { caption: string; table: Schemas['Table'] }) {
  return (
    <div className="aw-numbers" role="region" aria-label={caption} tabIndex={0}>
      <table className="aw-plain-table">
        <caption className="aw-visually-hidden">{caption}</caption>
        <thead>
          <tr>
            {table.columns.map((column, at) => (
              <th key={at} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, at) => (
            <tr key={at}>
              {row.map((cell, place) => (
                <td key={place}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
