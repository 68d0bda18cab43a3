/* One topology: made here, or changed here. Nothing is stored before "Save". */
import { Button, MultiSelect, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useState, type FormEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate, useParams } from 'react-router';
import { api, http, type Schemas } from '../../api/client';
import { answered, findings } from '../../api/problems';
import { useMay, useRefresh } from '../../api/session';
import { useOpened } from '../../api/useOpened';
import { Answer, Empty, Loading, Note, ProblemNote } from '../../components/Answer';
import { asFields, placedAt, type Field } from '../../components/fields';
import { Page, Panel } from '../../components/Page';
import { ProblemList } from '../../components/ProblemList';
import { useFocusOnError } from '../../components/useFocusOnError';
import { TopologyEditor } from './Editor';
import { OPTIONS, placeMeant } from './options';
import { useSiteNames } from '../sites/useSiteNames';
import { useTopology } from './useTopology';

// The inputs of the form; what is said of the spec belongs to its links.
const FIELDS: readonly Field[] = [
  { path: 'name', label: 'ui.topology.name' },
  { path: 'site_names', label: 'ui.topology.sites' },
  { path: 'spec', label: 'ui.topology.links' },
  ...OPTIONS.map((option) => ({ path: `spec.${option}`, label: `ui.topology.${option}` })),
];

export function TopologyPage() {
  const { id } = useParams();
  return id ? <Existing key={id} id={id} /> : <Fresh />;
}

function Existing({ id }: { id: string }) {
  const found = api.useQuery('get', '/api/v1/topologies/{topology_id}', {
    params: { path: { topology_id: id } },
  });
  const { opened, reopen } = useOpened(found);
  return (
    <Answer query={found}>
      {() =>
        opened ? (
          <Form key={opened.times} saved={opened.value} names={opened.value.site_names} reopen={reopen} />
        ) : (
          <Loading />
        )
      }
    </Answer>
  );
}

function Fresh() {
  const sites = useSiteNames();
  return <Answer query={sites}>{(page) => <Form names={suggested(page.items)} />}</Answer>;
}

/** The sites that can take part today; all that may ever, where those are too few to link. */
function suggested(sites: readonly Schemas['Site'][]): string[] {
  const usable = sites.filter((site) => site.state !== 'revoked');
  const connected = usable.filter((site) => site.state === 'online' || site.placement === 'local');
  return (connected.length >= 2 ? connected : usable).map((site) => site.name);
}

function Form({
  saved,
  names,
  reopen,
}: {
  saved?: Schemas['Topology'];
  names: string[];
  reopen?: () => Promise<unknown>;
}) {
  const { t } = useTranslation();
  const go = useNavigate();
  const refresh = useRefresh();
  const may = useMay('topologies.write');
  const sites = useSiteNames();
  const [name, setName] = useState(saved?.name ?? '');
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const topology = useTopology({ names, spec: saved?.spec ?? { kind: 'ring', mixing: 'metropolis' } });
  const fields = asFields(
    placedAt(findings(error, sites.shown), FIELDS, (finding, path) => placeMeant(finding, path, 'spec')),
  );
  const links = fields.at('spec');
  const form = useFocusOnError(error);
  const chosen = topology.draft.names;

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    const body = { name, site_names: [...chosen], spec: topology.draft.spec };
    const sent = saved
      ? http.PATCH('/api/v1/topologies/{topology_id}', {
          params: { path: { topology_id: saved.id }, header: { 'If-Match': `W/"${saved.revision}"` } },
          body,
        })
      : http.POST('/api/v1/topologies', { body });
    const answer = await answered(sent);
    setBusy(false);
    if (!answer.data) {
      setError(answer.error);
      return;
    }
    notifications.show({ message: t('ui.topology.saved', { name: answer.data.name }) });
    refresh('/api/v1/topologies');
    void go('/topologies');
  };

  return (
    <Page
      title={saved ? saved.name : t('ui.topology.new')}
      lead={t('ui.topology.lead')}
      above={<Link to="/topologies">{t('ui.nav.topologies')}</Link>}
    >
      <form ref={form} className="aw-stack" onSubmit={(event) => void submit(event)} noValidate>
        {fields.problems.length > 0 ? (
          <ProblemList problems={fields.problems} />
        ) : error ? (
          <ProblemNote error={error} site={sites.shown} {...(reopen ? { reopen } : {})} />
        ) : null}
        {may ? null : <Note>{t('ui.may_not')}</Note>}
        <fieldset className="aw-whole" disabled={!may}>
          <Panel title={t('ui.topology.basics')}>
            <div className="aw-fields">
              <TextInput
                {...fields.at('name')}
                label={t('ui.topology.name')}
                description={t('ui.topology.name_help')}
                value={name}
                onChange={(event) => setName(event.currentTarget.value)}
                required
                autoComplete="off"
              />
              <MultiSelect
                {...fields.at('site_names')}
                label={t('ui.topology.sites')}
                description={t('ui.topology.sites_help')}
                data={[...new Set([...(sites.data?.items ?? []).map((site) => site.name), ...chosen])].map(
                  (value) => ({
                    value,
                    label: sites.shown(value),
                  }),
                )}
                value={[...chosen]}
                onChange={topology.setSites}
                searchable
                nothingFoundMessage={t('ui.nothing_found')}
                required
              />
            </div>
          </Panel>
          <Panel title={t('ui.topology.links')}>
            {links.error ? (
              <div id={links.id} tabIndex={-1} className="aw-quiet-focus">
                <Note tone="bad" icon="warn">
                  {links.error}
                </Note>
              </div>
            ) : null}
            {chosen.length < 2 ? (
              <Empty
                icon="site"
                title={t('ui.topology.too_few')}
                action={
                  <Button component={Link} to="/sites/new" variant="default">
                    {t('ui.sites.new')}
                  </Button>
                }
              />
            ) : (
              <TopologyEditor
                topology={topology}
                shown={sites.shown}
                at={(option) => fields.at(`spec.${option}`)}
              />
            )}
          </Panel>
        </fieldset>
        {may ? (
          <div className="aw-actions">
            <Button type="submit" loading={busy}>
              {t('ui.save')}
            </Button>
            <Button component={Link} to="/topologies" variant="default">
              {t('ui.back')}
            </Button>
          </div>
        ) : null}
      </form>
    </Page>
  );
}
