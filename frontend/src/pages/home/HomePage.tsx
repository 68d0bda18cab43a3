/* What runs now, what needs a look, what came out last. */
import { Button } from '@mantine/core';
import { Trans, useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { api, http, type Schemas } from '../../api/client';
import { useMay } from '../../api/session';
import { useAll } from '../../api/useAll';
import { Answer, Empty, Note } from '../../components/Answer';
import { Icon } from '../../components/Icon';
import { LiveMark } from '../../components/LiveMark';
import { Page, Panel } from '../../components/Page';
import { StateBadge } from '../../components/StateBadge';
import { useSay } from '../../i18n/say';
import { useFormats } from '../../i18n/useFormats';
import { useLive } from '../../live/useLive';
import { useNow } from '../../live/useNow';
import { useHaltWords } from '../pilots/Halts';
import { PilotHeadline } from '../pilots/PilotHeadline';
import { RunCard } from '../runs/RunCard';
import { PartAway, usePartAway } from '../runs/PartAway';
import { pilotState } from '../pilots/pilotState';
import { failedLately, type Failed } from './failedLately';
import { firstNames } from '../sites/firstNames';

const FOLLOWED = ['/api/v1/runs', '/api/v1/pilots', '/api/v1/sites'];
const calledOf = (site: Schemas['Site']) => site.display_name || site.name;

export function HomePage() {
  const { t } = useTranslation();
  const may = useMay('pilots.write');
  const { connection } = useLive({}, FOLLOWED);
  const pilots = api.useQuery('get', '/api/v1/pilots', { params: { query: { limit: 6 } } });
  const paused = api.useQuery('get', '/api/v1/pilots', { params: { query: { paused: true, limit: 20 } } });
  const running = api.useQuery('get', '/api/v1/runs', { params: { query: { state: 'running', limit: 12 } } });
  const failed = api.useQuery('get', '/api/v1/runs', { params: { query: { state: 'failed', limit: 100 } } });
  const now = useNow();
  const sites = useAll('/api/v1/sites', (query) => http.GET('/api/v1/sites', { params: { query } }));
  const away = usePartAway();
  const silent = sites.data?.items.filter((site) => site.state === 'silent') ?? [];

  return (
    <Page
      title={t('ui.home.title')}
      lead={t('ui.home.lead')}
      actions={
        <>
          <LiveMark connection={connection} />
          {may ? (
            <Button component={Link} to="/pilots/new" leftSection={<Icon name="plus" />}>
              {t('ui.pilots.new')}
            </Button>
          ) : null}
        </>
      }
    >
      <PartAway />
      {/* How the sites are nobody knows while nobody listens to them. */}
      {!away && silent.length > 0 ? <SilentSites sites={silent} /> : null}
      {paused.data?.items.map((pilot) => (
        <PausedPilot key={pilot.id} pilot={pilot} />
      ))}
      {failedLately(failed.data?.items ?? [], now).map((one) => (
        <FailedPilot key={one.pilot} failed={one} />
      ))}
      <Answer query={pilots}>
        {(page) =>
          page.items.length === 0 ? (
            <FirstSteps />
          ) : (
            <>
              <Latest pilots={page.items} />
              <Panel title={t('ui.home.now')} aside={<Link to="/runs">{t('ui.home.all_runs')}</Link>}>
                <Answer query={running}>
                  {(runs) =>
                    runs.items.length === 0 ? (
                      <p className="aw-soft">{t('ui.home.nothing_runs')}</p>
                    ) : (
                      <div className="aw-cols">
                        {runs.items.map((run) => (
                          <RunCard key={run.id} run={run} silent={away ? [] : silent.map(calledOf)} />
                        ))}
                      </div>
                    )
                  }
                </Answer>
              </Panel>
              <Panel title={t('ui.home.pilots')} aside={<Link to="/pilots">{t('ui.home.all_pilots')}</Link>}>
                <div className="aw-cols">
                  {page.items.map((pilot) => (
                    <PilotCard key={pilot.id} pilot={pilot} />
                  ))}
                </div>
              </Panel>
            </>
          )
        }
      </Answer>
    </Page>
  );
}

/** The last pilot that has a result; before there is one, the last that was launched: no draft pushes it aside. */
function Latest({ pilots }: { pilots: readonly Schemas['Pilot'][] }) {
  const found = api.useQuery('get', '/api/v1/pilots', { params: { query: { with_result: true, limit: 1 } } });
  return (
    <Answer query={found}>
      {({ items: [told] }) => {
        const pilot = told ?? pilots.find((one) => one.state !== 'draft') ?? pilots[0];
        return pilot ? <LatestOf pilot={pilot} /> : null;
      }}
    </Answer>
  );
}

function LatestOf({ pilot }: { pilot: Schemas['Pilot'] }) {
  const { t } = useTranslation();
  const summary = api.useQuery('get', '/api/v1/pilots/{pilot_id}/summary', {
    params: { path: { pilot_id: pilot.id } },
  });
  return (
    <section aria-label={t('ui.home.latest')}>
      <Answer query={summary}>
        {(said) => (
          <PilotHeadline pilotId={pilot.id} summary={said}>
            <Link to={`/pilots/${pilot.id}`}>
              {t('ui.home.open_pilot', { name: pilot.title || pilot.name })}
            </Link>
          </PilotHeadline>
        )}
      </Answer>
    </section>
  );
}

function PilotCard({ pilot }: { pilot: Schemas['Pilot'] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const words = useHaltWords();
  return (
    <Link to={`/pilots/${pilot.id}`} className="aw-card">
      <span className="aw-card-head">
        <span className="aw-card-title">{pilot.title || pilot.name}</span>
        <StateBadge of="pilot" state={pilotState(pilot)} />
      </span>
      <span className="aw-sub">
        {t('ui.pilots.counts', {
          sites: formats.number(pilot.spec.sites.length),
          arms: formats.number(pilot.spec.arms.length),
          rounds: formats.number(pilot.spec.rounds),
        })}
      </span>
      <span className="aw-sub">{formats.moment(pilot.launched_at ?? pilot.created_at)}</span>
      {[...words(pilot, 'failed'), ...words(pilot, 'cancelled')].map((said) => (
        <span key={said} className="aw-sub">
          {said}
        </span>
      ))}
    </Link>
  );
}

function PausedPilot({ pilot }: { pilot: Schemas['Pilot'] }) {
  const words = useHaltWords();
  return (
    <Note tone="warn" icon="pause">
      <Link to={`/pilots/${pilot.id}`}>{pilot.title || pilot.name}</Link>
      {words(pilot, 'paused').map((said) => (
        <p key={said}>{said}</p>
      ))}
    </Note>
  );
}

function FailedPilot({ failed }: { failed: Failed }) {
  const { t } = useTranslation();
  const say = useSay();
  const formats = useFormats();
  return (
    <Note tone="bad" icon="warn">
      <Link to={`/pilots/${failed.pilot}`}>{failed.name}</Link>
      <p>
        {t('ui.home.failed', {
          at: formats.moment(failed.at),
          arms: formats.list([...new Set(failed.causes.flatMap(({ arms }) => arms))]),
        })}
      </p>
      {failed.causes.map(({ arms, reason }, at) =>
        reason ? (
          <p key={at}>
            {failed.causes.length > 1
              ? t('ui.home.failed_of', { arms: formats.list(arms), reason: say('reasons', reason) })
              : say('reasons', reason)}
          </p>
        ) : null,
      )}
    </Note>
  );
}

function SilentSites({ sites }: { sites: Schemas['Site'][] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const names = firstNames(sites.map(calledOf), t, formats);
  return (
    <Note tone="warn" icon="warn">
      {t('ui.home.silent', { names, number: sites.length })}
      {formats.space}
      <Link to="/sites">{t('ui.home.look_at_sites')}</Link>
    </Note>
  );
}

function FirstSteps() {
  const { t } = useTranslation();
  const may = useMay('pilots.write');
  return (
    <Panel>
      <Empty
        icon="pilot"
        title={t('ui.home.empty')}
        action={
          may ? (
            <>
              <Button component={Link} to="/sites/new" variant="default">
                {t('ui.sites.new')}
              </Button>
              <Button component={Link} to="/pilots/new">
                {t('ui.pilots.new')}
              </Button>
            </>
          ) : undefined
        }
      >
        <p>
          <Trans i18nKey="ui.home.empty_demo" components={{ code: <code className="aw-code" /> }} />
        </p>
        <p>{t('ui.home.empty_own')}</p>
      </Empty>
    </Panel>
  );
}
