/* A pilot is put together here, with defaults that are safe to launch; the server has the last word on each value. */
import { Button } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { freshKey } from '../../api/freshKey';
import { Link, useNavigate, useParams } from 'react-router';
import { api, http, type Schemas } from '../../api/client';
import { answered } from '../../api/problems';
import { useMay, useRefresh } from '../../api/session';
import { useOpened } from '../../api/useOpened';
import { Answer, Empty, Loading, Note, ProblemNote } from '../../components/Answer';
import { Page, Panel } from '../../components/Page';
import { ProblemList } from '../../components/ProblemList';
import { useConfirm } from '../../components/useConfirm';
import { AwaySites } from '../sites/AwaySites';
import { LimitedSites } from '../sites/LimitedSites';
import { useSiteNames } from '../sites/useSiteNames';
import { useTopology } from '../topologies/useTopology';
import { AdvancedFields } from './AdvancedFields';
import { ArmFields } from './ArmFields';
import { DataFields } from './DataFields';
import { BasicFields, ModelFields } from './FormFields';
import { launchPilot } from './launchPilot';
import { MoneyFields } from './MoneyFields';
import {
  assumptionsOf,
  draftOf,
  freshDraft,
  specOf,
  suggestedName,
  wholeNumbers,
  type PilotDraft,
} from './pilotDraft';
import { SilentFields } from './SilentFields';
import { TimetableFields } from './TimetableFields';
import { TopologyFields } from './TopologyFields';
import { useFields } from './useFields';
import { useFormats } from '../../i18n/useFormats';

type Pilot = Schemas['Pilot'];

export function NewPilotPage() {
  const { id } = useParams();
  return id ? <Stored key={id} id={id} /> : <Fresh />;
}

function Stored({ id }: { id: string }) {
  const { t } = useTranslation();
  const sites = useSiteNames();
  const pilot = api.useQuery('get', '/api/v1/pilots/{pilot_id}', { params: { path: { pilot_id: id } } });
  const { opened, reopen } = useOpened(pilot);
  return (
    <Answer query={pilot}>
      {(found) =>
        !opened ? (
          <Loading />
        ) : found.state === 'draft' ? (
          <Answer query={sites}>
            {(page) => <Form key={opened.times} sites={page.items} stored={opened.value} reopen={reopen} />}
          </Answer>
        ) : (
          <Page title={found.title || found.name}>
            <Note>
              {t('ui.new.already_launched')} <Link to={`/pilots/${found.id}`}>{t('ui.new.to_pilot')}</Link>
            </Note>
          </Page>
        )
      }
    </Answer>
  );
}

function Fresh() {
  const sites = useSiteNames();
  return <Answer query={sites}>{(page) => <Form sites={page.items} />}</Answer>;
}

/** Eight to begin with, of those that can take part at once; all with the same sample data set. */
function firstSites(usable: readonly Schemas['Site'][]): string[] {
  const online = usable.filter((site) => site.state === 'online');
  const ready = online.length >= 2 ? online : usable;
  return ready
    .filter((site) => site.data.dataset === ready[0]?.data.dataset)
    .slice(0, 8)
    .map((site) => site.name);
}

function Form({
  sites,
  stored,
  reopen,
}: {
  sites: Schemas['Site'][];
  stored?: Pilot;
  reopen?: () => Promise<unknown>;
}) {
  const { t } = useTranslation();
  const formats = useFormats();
  const go = useNavigate();
  const refresh = useRefresh();
  const mayWrite = useMay('pilots.write');
  const mayLaunch = useMay('pilots.launch');
  const usable = sites.filter((site) => site.state !== 'revoked');
  const [draft, setDraft] = useState<PilotDraft>(() =>
    stored
      ? draftOf(stored)
      : {
          ...freshDraft(),
          name: suggestedName(new Date()),
          sites: firstSites(usable),
        },
  );
  const topology = useTopology({ names: draft.sites, spec: stored?.spec.topology ?? { kind: 'full' } });
  // Where the form was saved before its launch failed: the next try changes that draft instead of making another.
  const [saved, setSaved] = useState(stored);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const [launchKey] = useState(() => freshKey());
  const top = useRef<HTMLDivElement>(null);
  const { ask, dialog } = useConfirm();
  const { shown } = useSiteNames();
  const fields = useFields(error, draft, shown);

  useEffect(() => {
    if (error) top.current?.focus();
  }, [error]);

  const change = (part: Partial<PilotDraft>) => setDraft((known) => ({ ...known, ...part }));
  const setSites = (names: readonly string[]) => {
    change({ sites: names });
    topology.setSites(names);
  };
  const save = async (): Promise<Pilot | null> => {
    setBusy(true);
    setError(null);
    const spec = specOf(draft, sites, topology.draft.spec, stored?.spec);
    const assumptions = assumptionsOf(draft);
    const sent = saved
      ? http.PATCH('/api/v1/pilots/{pilot_id}', {
          params: { path: { pilot_id: saved.id }, header: { 'If-Match': `W/"${saved.revision}"` } },
          body: { spec, assumptions },
        })
      : http.POST('/api/v1/pilots', { body: { spec, assumptions } });
    const answer = await answered(sent);
    setBusy(false);
    if (!answer.data) {
      setError(answer.error);
      return null;
    }
    setSaved(answer.data);
    refresh('/api/v1/pilots');
    return answer.data;
  };
  const saveDraft = async () => {
    const pilot = await save();
    if (!pilot) return;
    notifications.show({ message: t('ui.new.saved', { name: pilot.title || pilot.name }) });
    void go(`/pilots/${pilot.id}`);
  };
  const launch = async (pilot: Pilot) => {
    const launched = await launchPilot(pilot, launchKey);
    if (!launched) {
      const name = pilot.title || pilot.name;
      notifications.show({ message: t('ui.pilot.changed_meanwhile', { name }), autoClose: false });
    }
    refresh('/api/v1/pilots', '/api/v1/runs');
    // Also of a draft that is no longer this form's: its page shows what it is now, and launches that.
    void go(`/pilots/${pilot.id}`);
  };
  const askLaunch = async () => {
    // Saved first, so that every wrong value is shown at its field before anyone is asked.
    const pilot = await save();
    if (!pilot) return;
    ask({
      title: t('ui.pilot.launch'),
      body: (
        <>
          <p className="aw-first">
            {t('ui.pilot.launch_text', {
              runs: draft.arms.length * wholeNumbers(draft.seeds).length,
              sites: draft.sites.length,
              rounds: draft.rounds,
            })}
          </p>
          <AwaySites
            names={draft.sites.filter((name) => !draft.waiting.includes(name))}
            policy={draft.silent}
          />
          <p className="aw-soft aw-small">{t('ui.new.launch_saved', { name: pilot.title || pilot.name })}</p>
        </>
      ),
      action: t('ui.pilot.launch'),
      act: () => launch(pilot),
      // The settings were saved all the same: the page becomes that of the draft, so that nothing is lost or made twice.
      cancelled: () => {
        notifications.show({
          message: t('ui.new.kept', { name: pilot.title || pilot.name }),
          autoClose: 8000,
        });
        if (!stored) void go(`/pilots/${pilot.id}/edit`, { replace: true });
      },
    });
  };

  if (usable.length < 2) {
    return (
      <Page title={t('ui.pilots.new')}>
        <Panel>
          <Empty
            icon="site"
            title={t('ui.topology.too_few')}
            action={
              <Button component={Link} to="/sites/new">
                {t('ui.sites.new')}
              </Button>
            }
          />
        </Panel>
      </Page>
    );
  }
  const parts = { draft, change, fields };
  return (
    <Page
      title={stored ? t('ui.new.edit_title', { name: stored.title || stored.name }) : t('ui.pilots.new')}
      above={<Link to="/pilots">{t('ui.nav.pilots')}</Link>}
      lead={t(stored ? 'ui.new.edit_lead' : 'ui.new.lead')}
    >
      {dialog}
      <div ref={top} tabIndex={-1} className="aw-quiet-focus">
        {fields.problems.length > 0 ? (
          <ProblemList problems={fields.problems} />
        ) : error ? (
          <ProblemNote
            error={error}
            // A new form that was saved and changed elsewhere becomes that of its draft.
            reopen={reopen ?? (() => saved && go(`/pilots/${saved.id}/edit`, { replace: true }))}
          />
        ) : null}
      </div>
      {stored?.follows ? (
        <Note icon="info">
          {t('ui.stage.follows')}
          {formats.space}
          <Link to={`/pilots/${stored.follows.id}`}>{stored.follows.title || stored.follows.name}</Link>
        </Note>
      ) : null}
      <form
        className="aw-stack"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void saveDraft();
        }}
      >
        {mayWrite ? null : <Note>{t('ui.may_not')}</Note>}
        <fieldset className="aw-whole" disabled={!mayWrite}>
          <BasicFields {...parts} sites={usable} setSites={setSites} />
          <LimitedSites names={draft.sites} />
          <DataFields {...parts} sites={usable} />
          <ModelFields {...parts} sites={usable} />
          <TimetableFields {...parts} />
          <SilentFields {...parts} />
          <AdvancedFields {...parts} />
          <TopologyFields topology={topology} fields={fields} />
          <ArmFields {...parts} />
          <MoneyFields {...parts} />
        </fieldset>
        {mayWrite ? (
          <div className="aw-actions">
            <Button type="submit" variant="default" loading={busy}>
              {t('ui.new.save_draft')}
            </Button>
            {mayLaunch ? (
              <Button loading={busy} onClick={() => void askLaunch()}>
                {t('ui.new.launch')}
              </Button>
            ) : null}
          </div>
        ) : null}
      </form>
    </Page>
  );
}
