/* What the engineer of a remote site runs on the site's machine. */
import { Trans, useTranslation } from 'react-i18next';
import type { Schemas } from '../../api/client';
import { Copyable } from '../../components/Copyable';
import { FoldedPanel, Panel } from '../../components/Page';

export function ConnectSite({ site }: { site: Schemas['Site'] }) {
  const { t } = useTranslation();
  const title = t('ui.sites.connect');
  const body = (
    <div className="aw-prose">
      <p>{t('ui.sites.connect_text')}</p>
      <Copyable text={commandOf(site.name)} />
      <p className="aw-soft aw-small">
        <Trans i18nKey="ui.sites.connect_where" components={{ code: <code className="aw-code" /> }} />
      </p>
    </div>
  );
  // Once it has been seen, the command is of use only after a move to another machine.
  return site.last_seen_at === null ? (
    <Panel title={title}>{body}</Panel>
  ) : (
    <FoldedPanel title={title}>{body}</FoldedPanel>
  );
}

function commandOf(name: string): string {
  return [
    './awase setup --no-pages',
    `BROKER_URL=redis://:PASSWORD@HOST:6379/0 AWASE_ARTIFACTS=/shared/awase ./awase worker --site ${name}`,
  ].join('\n');
}
