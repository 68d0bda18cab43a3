/* What every site of a run does now, what it waits for and what follows; above it what holds the run up. A turn is not worth a
   line, what has a consequence is; what was planned is no warning. */
import { Button } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, type Schemas } from '../../api/client';
import { Answer, Note } from '../../components/Answer';
import { DataTable, type Column } from '../../components/DataTable';
import { FoldedPanel, Panel } from '../../components/Page';
import { StateBadge } from '../../components/StateBadge';
import { useFormats } from '../../i18n/useFormats';
import { useSay } from '../../i18n/say';
import { firstNames } from '../sites/firstNames';
import { heldUp } from './heldUp';

type Explained = Schemas['RunExplained'];
type Site = Explained['sites'][number];
// No event tells how far a step is, or that a step has begun.
const EVERY_MS = 5000;
const FIRST = 20;
const MOST_HELD = 3;

export function RunSites({ run, live }: { run: string; live: boolean }) {
  const { t } = useTranslation();
  const explained = api.useQuery(
    'get',
    '/api/v1/runs/{run_id}/explain',
    { params: { path: { run_id: run } } },
    { refetchInterval: live ? EVERY_MS : false },
  );
  const body = <Answer query={explained}>{(found) => <Explanation of={found} />}</Answer>;
  const title = t('ui.explain.title');
  return live ? <Panel title={title}>{body}</Panel> : <FoldedPanel title={title}>{body}</FoldedPanel>;
}

function Explanation({ of }: { of: Explained }) {
  const { t } = useTranslation();
  const say = useSay();
  const formats = useFormats();
  const [whole, setWhole] = useState(false);
  // What follows says until when; of what a site waits for it is not said again.
  const isSaid = of.code === 'running_until_due';
  const columns: Column<Site>[] = [
    { key: 'site', label: t('ui.explain.site'), main: true, cell: (site) => site.display_name },
    {
      key: 'state',
      label: t('ui.state_label'),
      cell: (site) => <StateBadge of="doing" state={site.doing} />,
    },
    { key: 'does', label: t('ui.explain.does'), cell: (site) => say('explain.site', site) },
    {
      key: 'waits',
      label: t('ui.explain.waits'),
      cell: (site) =>
        site.waits_for.length === 0 ? (
          '–'
        ) : (
          <ul className="aw-waits">
            {site.waits_for.map((wait, at) => (
              <li key={`${wait.code}-${at}`}>
                {isSaid && wait.code === 'round_due'
                  ? t('ui.explain.time_of_round', { round: String(of.params.round) })
                  : say('explain.wait', wait)}
              </li>
            ))}
          </ul>
        ),
    },
    {
      key: 'then',
      label: t('ui.explain.then'),
      cell: (site) => (site.then ? say('explain.then', site.then) : '–'),
    },
  ];
  const held = heldUp(of).slice(0, MOST_HELD);
  const why = ({ sites, wait }: (typeof held)[number]) => {
    const said = say('explain.wait', wait);
    return sites.length === of.sites.length && sites.length > 1
      ? t('ui.explain.held_all', { sites: formats.number(sites.length), why: said })
      : t('ui.explain.held', { site: firstNames(sites, t, formats), why: said });
  };
  const shown = whole ? of.sites : of.sites.slice(0, FIRST);
  return (
    <>
      <p className="aw-explained">
        {formats.sentences([
          say('explain.run', of),
          of.then && held.length === 0 && !(isSaid && of.then.code === 'round_begins')
            ? say('explain.then', of.then)
            : null,
        ])}
      </p>
      {held.map((one) => {
        const { wait } = one;
        const planned = wait.is_planned;
        return (
          <Note
            key={`${wait.site}-${wait.code}`}
            tone={planned ? 'calm' : 'warn'}
            icon={planned ? 'clock' : 'warn'}
          >
            {formats.sentences([why(one), wait.then && !planned ? say('explain.then', wait.then) : null])}
          </Note>
        );
      })}
      <DataTable
        caption={t('ui.explain.title')}
        columns={columns}
        rows={shown}
        rowKey={(site) => site.site}
      />
      {shown.length < of.sites.length ? (
        <Button mt="md" size="xs" variant="default" onClick={() => setWhole(true)}>
          {t('ui.explain.all', { sites: formats.number(of.sites.length) })}
        </Button>
      ) : null}
    </>
  );
}
