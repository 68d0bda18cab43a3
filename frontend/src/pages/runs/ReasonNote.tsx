/* Why a run ended, or is as it is; with the ways to what its text advises. */
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { api, type Schemas } from '../../api/client';
import { Note } from '../../components/Answer';
import { useFormats } from '../../i18n/useFormats';
import { useSay } from '../../i18n/say';
import { useSiteNames } from '../sites/useSiteNames';
import { endedForSilence, neverConnected } from './neverConnected';
import { reasonToTell } from './replaced';

type Run = Schemas['Run'];

export function ReasonNote({ run }: { run: Run }) {
  const { t } = useTranslation();
  const say = useSay();
  const formats = useFormats();
  const reason = reasonToTell(run);
  if (!reason) return null;
  const failed = run.state === 'failed';
  const said = say('reasons', reason);
  return (
    <Note tone={failed ? 'bad' : 'calm'} icon={failed ? 'warn' : 'info'}>
      {said}
      {/* The button that it names is not on this page. */}
      {said.includes(t('ui.pilot.clone')) ? (
        <>
          {formats.space}
          <Link to={`/pilots/${run.pilot_id}`}>{t('ui.run.to_pilot')}</Link>
        </>
      ) : null}
      {endedForSilence(reason) ? <NeverConnected run={run.id} /> : null}
    </Note>
  );
}

function NeverConnected({ run }: { run: string }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const known = useSiteNames().data?.items ?? [];
  const explained = api.useQuery('get', '/api/v1/runs/{run_id}/explain', {
    params: { path: { run_id: run } },
  });
  const site = neverConnected(explained.data?.sites ?? []);
  if (!site) return null;
  const its = known.find(({ name }) => name === site.site);
  return (
    <p>
      {t('ui.run.never_connected', { site: site.display_name })}
      {formats.space}
      <Link to={its ? `/sites/${its.id}` : '/sites'}>{t('ui.run.to_site')}</Link>
    </p>
  );
}
