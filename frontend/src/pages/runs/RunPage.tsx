/* A run while it happens: progress in words, numbers, three charts, steps, events; what it may be asked. */
import { useTranslation } from 'react-i18next';
import { Link, useParams } from 'react-router';
import { api, type Schemas } from '../../api/client';
import { Answer, Note } from '../../components/Answer';
import { EventLog } from '../../components/EventLog';
import { FigurePanel } from '../../components/FigurePanel';
import { LiveMark } from '../../components/LiveMark';
import { NextRound } from '../../components/NextRound';
import { Kpis, Page, Pairs, RoomyPanel } from '../../components/Page';
import { StateBadge } from '../../components/StateBadge';
import { useFormats } from '../../i18n/useFormats';
import { useSay } from '../../i18n/say';
import { KEPT_EVENTS, useLive } from '../../live/useLive';
import { withOwnModel } from '../pilots/armWords';
import { AsLaunched } from '../pilots/AsLaunched';
import { RoiNote } from '../pilots/RoiNote';
import { Elapsed } from './Elapsed';
import { RunActions } from './RunActions';
import { RunFamily } from './RunFamily';
import { RunLedger } from './RunLedger';
import { RunMatches } from './RunMatches';
import { firstNames } from '../sites/firstNames';
import { absenceKey, alike, missedFrom, sitesIn } from './absent';
import { ReasonNote } from './ReasonNote';
import { RunSites } from './RunSites';
import { RunSteps } from './RunSteps';
import { useProgressWords } from './useProgressWords';

type Run = Schemas['Run'];
const FOLLOWED = ['/api/v1/runs/'];
const ENDED = new Set(['completed', 'failed', 'cancelled']);
const SLOW_MS = 15_000;
const FAST_MS = 4000;

export function RunPage() {
  const { id = '' } = useParams();
  return <LiveRun key={id} id={id} />;
}

function LiveRun({ id }: { id: string }) {
  const { connection, events } = useLive({ run: id, replay: true }, FOLLOWED);
  const run = api.useQuery(
    'get',
    '/api/v1/runs/{run_id}',
    { params: { path: { run_id: id } } },
    {
      // Events carry the page; this only covers what no event tells, and a stream that cannot be opened.
      refetchInterval: ({ state }) =>
        state.data && ENDED.has(state.data.state) ? false : connection === 'live' ? SLOW_MS : FAST_MS,
    },
  );
  const { t } = useTranslation();
  return (
    <Answer query={run}>
      {(found) => (
        <RunView
          run={found}
          marks={
            <>
              {ENDED.has(found.state) ? null : <LiveMark connection={connection} />}
              <RunActions run={found} />
            </>
          }
          log={
            <RoomyPanel
              title={t('ui.events')}
              count={events.length}
              upTo={KEPT_EVENTS}
              live={!ENDED.has(found.state)}
            >
              <EventLog events={events} />
            </RoomyPanel>
          }
        />
      )}
    </Answer>
  );
}

function RunView({ run, marks, log }: { run: Run; marks: React.ReactNode; log: React.ReactNode }) {
  const { t } = useTranslation();
  const progress = useProgressWords();
  const formats = useFormats();
  const pilot = api.useQuery('get', '/api/v1/pilots/{pilot_id}', {
    params: { path: { pilot_id: run.pilot_id } },
  });
  const simulated = pilot.data?.spec.evaluation?.all_site !== 'none';
  const mixed = pilot.data && withOwnModel(pilot.data.spec).includes(run.arm);
  const after = {
    round: formats.number(Math.max(0, run.rounds_done)),
    rounds: formats.number(run.rounds),
    sites: sitesIn(run, t),
  };
  const meanNote = (value: number | null, isSimulated: boolean) => {
    if (value === null) return t(ENDED.has(run.state) ? 'ui.run.not_measured' : 'ui.run.not_measured_yet');
    if (run.rounds_done < 1)
      return t(isSimulated ? 'ui.run.start_note_simulated' : 'ui.run.start_note', after);
    return t(isSimulated ? 'ui.run.simulated_note' : 'ui.run.mean_note', after);
  };
  const share = Math.max(0, run.rounds_done) / run.rounds;
  return (
    <Page
      title={t('ui.run.title', { arm: run.arm })}
      above={
        <Link to={`/pilots/${run.pilot_id}`}>
          {t('ui.run.of_pilot', { pilot: pilot.data?.title || run.pilot_name })}
        </Link>
      }
      lead={t('ui.run.lead', {
        method: formats.settings([
          t(`methods.${run.method}`),
          ...run.methods_since.map(({ round, method }) =>
            t('ui.amend.method_since', { round, method: t(`methods.${method}`) }),
          ),
        ]),
        seed: run.seed,
        sites: sitesIn(run, t),
      })}
      actions={
        <>
          <StateBadge of="run" state={run.state} />
          {marks}
        </>
      }
    >
      <div className="aw-headline">
        <p className="aw-headline-text" role="status">
          {progress(run)}
        </p>
        <div
          className="aw-bar"
          role="progressbar"
          aria-label={t('ui.run.rounds_done')}
          aria-valuemin={0}
          aria-valuemax={run.rounds}
          aria-valuenow={Math.max(0, run.rounds_done)}
        >
          <i style={{ width: `${(share * 100).toFixed(1)}%` }} />
        </div>
      </div>
      <ReasonNote run={run} />
      {run.progress.code === 'waiting_for_time' ? null : (
        <NextRound
          round={run.next_round}
          at={run.next_round_at}
          progress={run.progress}
          zone={pilot.data?.spec.timetable?.time_zone}
        />
      )}
      <RunFamily run={run} />
      <AsLaunched pilot={run.pilot_id} arm={run.arm} />
      {alike(run, run.absences, t).map((together) => {
        const [one] = together;
        return (
          <Note
            key={`${one.site}-${one.from_round}`}
            tone={one.until_round === null ? 'warn' : 'calm'}
            icon="info"
          >
            {t(absenceKey(run, one), {
              site: firstNames(
                together.map((absence) => absence.display_name),
                t,
                formats,
              ),
              from: missedFrom(one, t),
              until: one.until_round,
            })}
          </Note>
        );
      })}
      {mixed ? <Note icon="info">{t('ui.run.own_model_note')}</Note> : null}
      <Kpis
        items={[
          {
            label: t('ui.run.round'),
            value: `${formats.number(Math.max(0, run.rounds_done))} / ${formats.number(run.rounds)}`,
          },
          {
            label: t('ui.run.own_site'),
            value: formats.percent(run.own_site_mean),
            note: meanNote(run.own_site_mean, false),
          },
          {
            label: t('ui.run.all_site'),
            value: formats.percent(run.all_site_mean),
            note: meanNote(run.all_site_mean, simulated),
          },
          {
            label: t('ui.run.exchanged'),
            value: formats.bytes(run.bytes_exchanged),
            note:
              run.bytes_wasted > 0
                ? formats.settings([
                    t('ui.run.raw_zero'),
                    t('ui.run.wasted', { bytes: formats.bytes(run.bytes_wasted) }),
                  ])
                : t('ui.run.raw_zero'),
          },
          {
            label: t('ui.run.time'),
            value: <Elapsed run={run} />,
            note: t(run.parent_run_id === null ? 'ui.run.busy' : 'ui.run.busy_restarted', {
              time: formats.duration(run.busy_s),
            }),
          },
        ]}
      />
      {run.state === 'completed' ? null : <RunSites run={run.id} live={!ENDED.has(run.state)} />}
      <div className="aw-grid2">
        <div className="aw-column">
          <FigurePanel of={{ run: run.id }} name="accuracy" />
          <FigurePanel of={{ run: run.id }} name="communication" />
        </div>
        <div className="aw-column">
          <RunRoi run={run} />
          <RunMatches run={run.id} />
          {log}
          <RunFacts run={run} />
        </div>
      </div>
      <RunLedger run={run.id} />
      <RunSteps run={run} />
    </Page>
  );
}

/** The run of the control arm has no ROI of its own: a line says so, in place of a panel with nothing drawn. */
function RunRoi({ run }: { run: Run }) {
  const say = useSay();
  const roi = api.useQuery('get', '/api/v1/runs/{run_id}/roi', { params: { path: { run_id: run.id } } });
  return (
    <Answer query={roi}>
      {(found) =>
        found.sentence.code === 'run_is_control' ? (
          <Note>{say('roi', found.sentence)}</Note>
        ) : (
          <FigurePanel of={{ run: run.id }} name="roi" note={<RoiNote roi={found} />} />
        )
      }
    </Answer>
  );
}

function RunFacts({ run }: { run: Run }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const facts: [string, string][] = [
    [t('ui.run.created'), formats.moment(run.created_at)],
    [t('ui.run.started'), formats.moment(run.started_at)],
    [t('ui.run.finished'), formats.moment(run.finished_at)],
    [t('ui.run.uploaded'), formats.bytes(run.bytes_uploaded)],
    [t('ui.run.evaluation'), formats.bytes(run.bytes_evaluation)],
    [t('ui.run.wasted_label'), formats.bytes(run.bytes_wasted)],
    [t('ui.run.cpu'), formats.duration(run.cpu_s)],
    [t('ui.run.gpu'), formats.duration(run.gpu_s)],
  ];
  return (
    <RoomyPanel title={t('ui.run.facts')}>
      <Pairs facts={facts} />
    </RoomyPanel>
  );
}
