/* Sites of a pilot that no worker serves just now, and what its runs do then. */
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import type { Silent } from '../pilots/pilotDraft';
import { Note } from '../../components/Answer';
import { useFormats } from '../../i18n/useFormats';
import { firstNames } from './firstNames';
import { useSiteNames } from './useSiteNames';

interface Props {
  names: readonly string[];
  policy: Silent;
}

export function AwaySites({ names, policy }: Props) {
  const { t } = useTranslation();
  const formats = useFormats();
  const sites = useSiteNames();
  const away = (sites.data?.items ?? []).filter(
    (site) => names.includes(site.name) && site.state !== 'online',
  );
  if (away.length === 0) return null;
  const shown = firstNames(
    away.map((site) => site.display_name || site.name),
    t,
    formats,
  );
  return (
    <Note tone="warn" icon="warn">
      {t(`ui.sites.away_${policy}`, { names: shown, number: away.length })}
      {formats.space}
      <Link to="/sites">{t('ui.home.look_at_sites')}</Link>
    </Note>
  );
}
