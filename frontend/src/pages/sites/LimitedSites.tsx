/* Sites of a pilot that train fewer epochs in a round than others may. */
import { useTranslation } from 'react-i18next';
import { Note } from '../../components/Answer';
import { useSiteNames } from './useSiteNames';

export function LimitedSites({ names }: { names: readonly string[] }) {
  const { t } = useTranslation();
  const sites = useSiteNames();
  const limited = (sites.data?.items ?? []).filter(
    (site) => names.includes(site.name) && site.limits.max_epochs,
  );
  if (limited.length === 0) return null;
  return (
    <Note>
      {limited.map((site) => (
        <div key={site.name}>
          {t('ui.sites.limited_epochs', {
            name: site.display_name || site.name,
            epochs: site.limits.max_epochs,
          })}
        </div>
      ))}
    </Note>
  );
}
