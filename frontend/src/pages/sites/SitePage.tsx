/* One site: made here, or looked at and changed here. */
import { Button, Select, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useState, type FormEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate, useParams } from 'react-router';
import { api, http, type Schemas } from '../../api/client';
import { answered, errorAt, fieldErrors } from '../../api/problems';
import { useMay, useRefresh } from '../../api/session';
import { useOpened } from '../../api/useOpened';
import { Answer, Loading, Note, ProblemNote } from '../../components/Answer';
import { Page, Panel } from '../../components/Page';
import { StateBadge } from '../../components/StateBadge';
import { useConfirm } from '../../components/useConfirm';
import { useFocusOnError } from '../../components/useFocusOnError';
import { useFormats } from '../../i18n/useFormats';
import { useLive } from '../../live/useLive';
import { PartAway } from '../runs/PartAway';
import { ConnectSite } from './ConnectSite';
import { DoingNow } from './DoingNow';
import { LimitFields, type Limits } from './LimitFields';
import { useLimitWords } from './limitWords';
import { OwnData } from './OwnData';
import { SitePilots } from './SitePilots';
import { WindowFields, type Window } from './WindowFields';

type Site = Schemas['Site'];
const FOLLOWED = ['/api/v1/sites', '/api/v1/pilots'];

export function SitePage() {
  const { id } = useParams();
  return id ? <ExistingSite key={id} id={id} /> : <SiteForm />;
}

function ExistingSite({ id }: { id: string }) {
  useLive({}, FOLLOWED);
  const site = api.useQuery(
    'get',
    '/api/v1/sites/{site_id}',
    { params: { path: { site_id: id } } },
    { refetchInterval: 10_000 },
  );
  const { opened, reopen } = useOpened(site);
  return (
    <Answer query={site}>
      {(found) =>
        opened ? (
          <SiteForm key={opened.times} site={found} opened={opened.value} reopen={reopen} />
        ) : (
          <Loading />
        )
      }
    </Answer>
  );
}

/** `site`: as it is now; `opened`: as it was when the form was opened. */
function SiteForm({ site, opened, reopen }: { site?: Site; opened?: Site; reopen?: () => Promise<unknown> }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const go = useNavigate();
  const refresh = useRefresh();
  const may = useMay('sites.write');
  const samples = api.useQuery('get', '/api/v1/samples', {}, { staleTime: Infinity });
  const [name, setName] = useState(opened?.name ?? '');
  const [shownName, setShownName] = useState(opened?.display_name ?? '');
  const [placement, setPlacement] = useState<Site['placement']>(opened?.placement ?? 'local');
  const [dataset, setDataset] = useState(opened?.data.dataset ?? 'pendigits');
  const [hours, setHours] = useState<Window | null>(opened?.window ?? null);
  const [limits, setLimits] = useState<Limits>(opened?.limits ?? {});
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const { ask, dialog } = useConfirm();
  const errors = fieldErrors(error);
  const form = useFocusOnError(error);
  const sample = samples.data?.find((one) => one.name === dataset);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    const data = { kind: 'sample' as const, dataset };
    const sent = opened
      ? http.PATCH('/api/v1/sites/{site_id}', {
          params: { path: { site_id: opened.id }, header: { 'If-Match': `W/"${opened.revision}"` } },
          body: { display_name: shownName, data, window: hours, limits },
        })
      : http.POST('/api/v1/sites', {
          body: { name, display_name: shownName, placement, data, window: hours },
        });
    const answer = await answered(sent);
    setBusy(false);
    if (!answer.data) {
      setError(answer.error);
      return;
    }
    notifications.show({
      message: t('ui.sites.saved', { name: answer.data.display_name || answer.data.name }),
    });
    refresh('/api/v1/sites');
    if (site) {
      // Who changed a site sees beside the form what it is now.
      await reopen?.();
      return;
    }
    // A site on a machine of its own is not connected yet: its page says how.
    void go(placement === 'remote' ? `/sites/${answer.data.id}` : '/sites');
  };
  const revoke = async (target: Site) => {
    const { error: problem } = await http.PATCH('/api/v1/sites/{site_id}', {
      params: { path: { site_id: target.id }, header: { 'If-Match': `W/"${target.revision}"` } },
      body: { state: 'revoked' },
    });
    if (problem) throw problem;
    refresh('/api/v1/sites');
    await reopen?.();
  };

  return (
    <Page
      title={site ? site.display_name || site.name : t('ui.sites.new')}
      above={<Link to="/sites">{t('ui.nav.sites')}</Link>}
      actions={site ? <StateBadge of="site" state={site.state} /> : null}
    >
      {site ? <PartAway /> : null}
      {dialog}
      {site?.placement === 'remote' && site.state !== 'revoked' ? <ConnectSite site={site} /> : null}
      <div className="aw-grid2">
        <Panel title={site ? t('ui.sites.change') : t('ui.sites.describe')}>
          {may ? null : <Note>{t('ui.may_not')}</Note>}
          <form ref={form} className="aw-form" onSubmit={(event) => void submit(event)} noValidate>
            {error && errors.size === 0 ? (
              <ProblemNote error={error} {...(reopen ? { reopen } : {})} />
            ) : null}
            <TextInput
              label={t('ui.sites.name')}
              description={t('ui.sites.name_help')}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              error={errorAt(errors, 'name')}
              required
              disabled={site !== undefined || !may}
              autoComplete="off"
            />
            <TextInput
              label={t('ui.sites.display_name')}
              description={t('ui.sites.display_name_help')}
              value={shownName}
              onChange={(event) => setShownName(event.currentTarget.value)}
              error={errorAt(errors, 'display_name')}
              disabled={!may}
              autoComplete="off"
            />
            <Select
              label={t('ui.sites.placement')}
              description={t(`ui.sites.placement_${placement}_help`, { name: name || 'site-01' })}
              data={(['local', 'remote'] as const).map((value) => ({
                value,
                label: t(`ui.sites.placement_${value}`),
              }))}
              value={placement}
              onChange={(value) => setPlacement(value === 'remote' ? 'remote' : 'local')}
              error={errorAt(errors, 'placement')}
              disabled={site !== undefined || !may}
            />
            <Select
              label={t('ui.sites.dataset')}
              description={
                sample
                  ? t('ui.sites.dataset_facts', {
                      rows: formats.number(sample.num_rows),
                      classes: formats.number(sample.num_classes),
                      origin: sample.origin,
                      licence: sample.licence,
                    })
                  : t('ui.sites.dataset_help')
              }
              data={(samples.data ?? []).map((one) => ({ value: one.name, label: t(`samples.${one.name}`) }))}
              value={dataset}
              onChange={(value) => value && setDataset(value)}
              error={errorAt(errors, 'data')}
              disabled={!may}
            />
            <WindowFields
              window={hours}
              set={setHours}
              error={(field) => errorAt(errors, `window.${field}`)}
              disabled={!may}
            />
            {site ? <LimitFields limits={limits} change={setLimits} errors={errors} disabled={!may} /> : null}
            {may ? (
              <div className="aw-actions">
                <Button type="submit" loading={busy}>
                  {site ? t('ui.save') : t('ui.sites.create')}
                </Button>
                <Button component={Link} to="/sites" variant="default">
                  {t('ui.back')}
                </Button>
                {site && site.state !== 'revoked' ? (
                  <Button
                    variant="default"
                    onClick={() =>
                      ask({
                        title: t('ui.sites.revoke'),
                        body: t('ui.sites.revoke_text', { name: site.display_name || site.name }),
                        action: t('ui.sites.revoke'),
                        danger: true,
                        act: () => revoke(site),
                      })
                    }
                  >
                    {t('ui.sites.revoke')}
                  </Button>
                ) : null}
              </div>
            ) : null}
          </form>
        </Panel>
        {site ? (
          <div className="aw-column">
            <SiteFacts site={site} />
            <SitePilots site={site.name} />
          </div>
        ) : (
          <OwnData />
        )}
      </div>
    </Page>
  );
}

function SiteFacts({ site }: { site: Site }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const limits = useLimitWords()(site.limits);
  return (
    <Panel title={t('ui.sites.facts')}>
      <dl className="aw-pairs">
        <dt>{t('ui.sites.doing')}</dt>
        <dd>
          <DoingNow site={site} />
        </dd>
        <dt>{t('ui.sites.last_seen')}</dt>
        <dd>{site.last_seen_at ? formats.moment(site.last_seen_at) : t('ui.sites.never')}</dd>
        <dt>{t('ui.window.title')}</dt>
        <dd>
          {!site.window
            ? t('ui.window.always')
            : site.window_opens_at
              ? t('ui.window.opens', { at: formats.inZones(site.window_opens_at, site.window.time_zone) })
              : t('ui.window.open', { to: site.window.to, zone: site.window.time_zone })}
        </dd>
        <dt>{t('ui.sites.limits')}</dt>
        <dd>
          {limits.length > 0 ? formats.settings(limits) : t('ui.sites.no_limit')}
          <span className="aw-sub">{t('ui.sites.limit_since_launch')}</span>
        </dd>
        <dt>{t('ui.sites.device')}</dt>
        <dd>{site.device ?? '–'}</dd>
        <dt>{t('ui.sites.num_rows')}</dt>
        <dd>{formats.number(site.num_rows)}</dd>
        <dt>{t('ui.sites.fingerprint')}</dt>
        <dd>{site.fingerprint ? <code className="aw-code">{site.fingerprint.slice(0, 16)}</code> : '–'}</dd>
        <dt>{t('ui.created')}</dt>
        <dd>{formats.moment(site.created_at)}</dd>
      </dl>
    </Panel>
  );
}
