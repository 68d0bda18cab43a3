/* A pilot: one sentence on top, arms side by side, charts, ROI in both views, runs; launch while it is a draft. */
import { Button } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { Fragment, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { freshKey } from '../../api/freshKey';
import { Link, useNavigate, useParams } from 'react-router';
import { api, http, type Schemas } from '../../api/client';
import { useMay, useRefresh } from '../../api/session';
import { useAll } from '../../api/useAll';
import { Answer, Note } from '../../components/Answer';
import { DataTable } from '../../components/DataTable';
import { EventLog } from '../../components/EventLog';
import { FigurePanel } from '../../components/FigurePanel';
import { LiveMark } from '../../components/LiveMark';
import { NextRound } from '../../components/NextRound';
import { FoldedPanel, Page, Panel, RoomyPanel } from '../../components/Page';
import { StateBadge } from '../../components/StateBadge';
import { useConfirm } from '../../components/useConfirm';
import { useFormats } from '../../i18n/useFormats';
import type { PilotEvent } from '../../live/stream';
import { KEPT_EVENTS, useLive } from '../../live/useLive';
import { leftOutOfAll, takingPart } from '../runs/absent';
import { useRunColumns } from '../runs/useRunColumns';
import { OwnData } from '../sites/OwnData';
import { Amendments } from './Amendments';
import { ArmsTable, SharedRound, SitesTable } from './ArmsTable';
import { Halts } from './Halts';
import { NextStage } from './NextStage';
import { PilotHeadline } from './PilotHeadline';
import { PilotLedger } from './PilotLedger';
import { PilotRunsMenu } from './PilotRunsMenu';
import { PilotSettings } from './PilotSettings';
import { RoiBases } from './RoiBases';
import { RoiNote } from './RoiNote';
import { PartAway } from '../runs/PartAway';
import { AwaySites } from '../sites/AwaySites';
import { withOwnModel } from './armWords';
import { copyName } from './copyName';
import { membersNow, sitesNeeded } from './amended';
import { launchPilot } from './launchPilot';
import { silentOf } from './pilotDraft';
import { isPaused, pilotState } from './pilotState';
import { useAmendments } from './useAmendments';

type Pilot = Schemas['Pilot'];
const FOLLOWED = ['/api/v1/pilots/', '/api/v1/runs'];
const LIVE: ReadonlySet<string> = new Set(['queued', 'running', 'pausing', 'paused', 'resuming']);
const SLOW_MS = 15_000;
const FAST_MS = 4000;
// Of the 200 characters that a title may have, some are for the mark of a copy.
const TITLE_UP_TO = 180;

export function PilotPage() {
  const { id = '' } = useParams();
  return <LivePilot key={id} id={id} />;
}

function LivePilot({ id }: { id: string }) {
  const { t } = useTranslation();
  const { connection, events } = useLive({ pilot: id, replay: true }, FOLLOWED);
  const path = { params: { path: { pilot_id: id } } };
  const pilot = api.useQuery('get', '/api/v1/pilots/{pilot_id}', path, {
    refetchInterval: ({ state }) => (!busy(state.data) ? false : connection === 'live' ? SLOW_MS : FAST_MS),
  });
  return (
    <Answer query={pilot}>
      {(found) => (
        <Page
          title={found.title || found.name}
          above={<Link to="/pilots">{t('ui.nav.pilots')}</Link>}
          lead={found.title ? found.name : undefined}
          actions={
            <>
              <StateBadge of="pilot" state={pilotState(found)} />
              {busy(found) ? <LiveMark connection={connection} /> : null}
              {busy(found) ? <PilotRunsMenu pilot={found} /> : null}
              <PilotActions pilot={found} />
            </>
          }
        >
          {busy(found) ? <PartAway /> : null}
          {busy(found) ? <AwayNow pilot={found} /> : null}
          {busy(found) ? (
            <NextRound
              round={found.next_round}
              at={found.next_round_at}
              zone={found.spec.timetable?.time_zone}
            />
          ) : null}
          <Halts pilot={found} />
          {found.spec.timetable && isPaused(found) ? (
            <Note icon="info">{t('ui.timetable.paused')}</Note>
          ) : null}
          <Stages pilot={found} />
          {found.state === 'draft' ? <Draft pilot={found} /> : <Launched pilot={found} />}
          <PilotSettings pilot={found} />
          {found.state === 'draft' ? null : (
            <FoldedPanel title={t('ui.events')} count={events.length} upTo={KEPT_EVENTS}>
              <PilotEvents pilot={found} events={events} />
            </FoldedPanel>
          )}
          <OwnData />
        </Page>
      )}
    </Answer>
  );
}

function AwayNow({ pilot }: { pilot: Pilot }) {
  const made = useAmendments(pilot.id).data?.items ?? [];
  const live = (useRuns(pilot).data?.items ?? []).filter((run) => LIVE.has(run.state));
  const policy = silentOf(pilot.spec.silent).silent;
  return (
    <AwaySites
      names={sitesNeeded(pilot.spec, made, live)}
      policy={policy}
      leftOut={leftOutOfAll(live)}
      runs={takingPart(live, membersNow(pilot.spec, made, live))}
    />
  );
}

/** Which pilot this one follows, and which follow it. */
function Stages({ pilot }: { pilot: Pilot }) {
  const { t } = useTranslation();
  const formats = useFormats();
  // Next stages of one pilot have one title.
  const link = ({ id, name, title }: Schemas['Stage']) => (
    <Link key={id} className="aw-gap" to={`/pilots/${id}`}>
      {title && title !== name ? `${title} · ${name}` : name}
    </Link>
  );
  return (
    <>
      {pilot.follows ? (
        <Note icon="info">
          {t('ui.stage.follows')}
          {formats.space}
          {link(pilot.follows)}
        </Note>
      ) : null}
      {pilot.followed_by.length > 0 ? (
        <Note icon="info">
          {t('ui.stage.followed_by')}
          {formats.space}
          {pilot.followed_by.map((stage, place) => (
            <Fragment key={stage.id}>
              {place > 0 ? formats.between : null}
              {link(stage)}
            </Fragment>
          ))}
        </Note>
      ) : null}
    </>
  );
}

function Draft({ pilot }: { pilot: Pilot }) {
  const { t } = useTranslation();
  return (
    <Note tone="busy" icon="draft">
      {t('ui.pilot.draft_text', { runs: pilot.spec.arms.length * (pilot.spec.seeds?.length ?? 1) })}
    </Note>
  );
}

function Launched({ pilot }: { pilot: Pilot }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const mixed = withOwnModel(pilot.spec);
  const path = { params: { path: { pilot_id: pilot.id } } };
  const summary = api.useQuery('get', '/api/v1/pilots/{pilot_id}/summary', path);
  const roi = api.useQuery('get', '/api/v1/pilots/{pilot_id}/roi', path);
  return (
    <>
      <Answer query={summary}>
        {(said) => (
          <>
            <PilotHeadline pilotId={pilot.id} summary={said} />
            <Panel title={t('ui.pilot.arms')}>
              <p className="aw-soft aw-small">
                <SharedRound summary={said} />
              </p>
              {mixed.length > 0 ? (
                <Note icon="info">{t('ui.pilot.own_model_note', { arms: formats.list(mixed) })}</Note>
              ) : null}
              <ArmsTable arms={said.arms} pilot={pilot.id} />
            </Panel>
          </>
        )}
      </Answer>
      <div className="aw-grid2">
        <FigurePanel of={{ pilot: pilot.id }} name="accuracy" />
        <FigurePanel
          of={{ pilot: pilot.id }}
          name="roi"
          note={roi.data ? <RoiNote roi={roi.data} /> : null}
        />
      </div>
      {roi.data ? <RoiBases roi={roi.data} /> : null}
      <div className="aw-grid2">
        <Answer query={summary}>{(said) => <SitesTable arms={said.arms} />}</Answer>
        <FigurePanel of={{ pilot: pilot.id }} name="communication" />
      </div>
      <PilotLedger pilot={pilot.id} />
      <Amendments pilot={pilot} busy={busy(pilot)} />
      <Runs pilot={pilot} />
    </>
  );
}

function useRuns(pilot: Pilot) {
  return useAll(
    '/api/v1/pilots/{pilot_id}/runs',
    (query) =>
      http.GET('/api/v1/pilots/{pilot_id}/runs', { params: { path: { pilot_id: pilot.id }, query } }),
    { pilot: pilot.id },
  );
}

function PilotEvents({ pilot, events }: { pilot: Pilot; events: readonly PilotEvent[] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const runs = useRuns(pilot).data?.items ?? [];
  const withSeed = (pilot.spec.seeds?.length ?? 1) > 1;
  const called = runs.map(({ id, arm, seed }): [string, string] => [
    id,
    withSeed ? formats.settings([arm, t('ui.runs.seed', { seed })]) : arm,
  ]);
  return <EventLog events={events} {...(pilot.num_runs > 1 ? { runs: new Map(called) } : {})} />;
}

function Runs({ pilot }: { pilot: Pilot }) {
  const { t } = useTranslation();
  const runs = useRuns(pilot);
  const columns = useRunColumns({});
  return (
    <RoomyPanel title={t('ui.nav.runs')} count={runs.data?.items.length} live={busy(pilot)}>
      <Answer query={runs}>
        {(page) => (
          <>
            <DataTable
              caption={t('ui.nav.runs')}
              columns={columns}
              rows={page.items}
              rowKey={(run) => run.id}
            />
          </>
        )}
      </Answer>
    </RoomyPanel>
  );
}

function PilotActions({ pilot }: { pilot: Pilot }) {
  const { t } = useTranslation();
  const go = useNavigate();
  const refresh = useRefresh();
  const mayWrite = useMay('pilots.write');
  const mayLaunch = useMay('pilots.launch');
  const { ask, dialog } = useConfirm();
  // One key for this page: pressing twice, or again after a lost answer, launches once.
  const [launchKey] = useState(() => freshKey());

  const launch = async () => {
    const launched = await launchPilot(pilot, launchKey);
    const name = pilot.title || pilot.name;
    notifications.show(
      launched
        ? { message: t('ui.pilot.launched', { name }) }
        : { message: t('ui.pilot.changed_meanwhile', { name }), autoClose: false },
    );
    refresh('/api/v1/pilots', '/api/v1/runs');
  };
  const clone = async () => {
    const { data, error } = await http.POST('/api/v1/pilots/{pilot_id}/clone', {
      params: { path: { pilot_id: pilot.id } },
      body: {
        name: await copyName(pilot.name),
        title: pilot.title ? t('ui.pilot.copy_title', { title: pilot.title.slice(0, TITLE_UP_TO) }) : null,
      },
    });
    if (!data) throw error;
    refresh('/api/v1/pilots');
    void go(`/pilots/${data.id}/edit`);
  };
  const numRuns = pilot.spec.arms.length * (pilot.spec.seeds?.length ?? 1);
  return (
    <>
      {dialog}
      {pilot.state === 'draft' ? null : (
        <Button
          component="a"
          href={`/api/v1/pilots/${pilot.id}/result`}
          download={`${pilot.name}.json`}
          variant="default"
        >
          {t('ui.pilot.download')}
        </Button>
      )}
      {mayWrite ? (
        <Button
          variant="default"
          onClick={() =>
            ask({
              title: t('ui.pilot.clone'),
              body: t('ui.pilot.clone_text'),
              action: t('ui.pilot.clone'),
              act: clone,
            })
          }
        >
          {t('ui.pilot.clone')}
        </Button>
      ) : null}
      {mayWrite && pilot.state !== 'draft' && !busy(pilot) ? <NextStage pilot={pilot} /> : null}
      {mayWrite && pilot.state === 'draft' ? (
        <Button component={Link} to={`/pilots/${pilot.id}/edit`} variant="default">
          {t('ui.pilot.edit')}
        </Button>
      ) : null}
      {mayLaunch && pilot.state === 'draft' ? (
        <Button
          onClick={() =>
            ask({
              title: t('ui.pilot.launch'),
              body: (
                <>
                  <p className="aw-first">
                    {t('ui.pilot.launch_text', {
                      runs: numRuns,
                      sites: pilot.spec.sites.length,
                      rounds: pilot.spec.rounds,
                    })}
                  </p>
                  <AwaySites
                    names={sitesNeeded(pilot.spec, [], [])}
                    policy={silentOf(pilot.spec.silent).silent}
                  />
                </>
              ),
              action: t('ui.pilot.launch'),
              act: launch,
            })
          }
        >
          {t('ui.pilot.launch')}
        </Button>
      ) : null}
    </>
  );
}

function busy(pilot: Pilot | undefined): boolean {
  if (pilot === undefined) return false;
  const { queued, running, paused } = pilot.runs_summary;
  return queued + running + paused > 0;
}
