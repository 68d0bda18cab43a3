/* Sites of a pilot that no worker serves just now, and what its runs do then. */
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import type { Silent } from '../pilots/pilotDraft';
import { Note } from '../../components/Answer';
import { useFormats } from '../../i18n/useFormats';
import { awayKey } from './awayKeys';
import { firstNames } from './firstNames';
import { useSiteNames } from './useSiteNames';

interface Props {
  names: readonly string[];
  policy: Silent;
  /** Of them those without which the runs go on already. */
  leftOut?: readonly string[];
  /** By run who takes part in it yet; not given: all of `names`. */
  runs?: readonly (readonly string[])[];
}

export function AwaySites({ names, policy, leftOut = [], runs = [names] }: Props) {
  const { t } = useTranslation();
  const formats = useFormats();
  const sites = useSiteNames();
  const away = (sites.data?.items ?? []).filter(
    (site) => names.includes(site.name) && site.state !== 'online',
  );
  const isOut = (site: (typeof away)[number]) => leftOut.includes(site.name);
  return [false, true].map((wereOut) => {
    const told = away.filter((site) => isOut(site) === wereOut);
    if (told.length === 0) return null;
    const missing = told.map(({ name }) => name);
    const key = wereOut ? 'away_left_out' : awayKey(policy, missing, runs);
    const shown = firstNames(
      told.map((site) => site.display_name || site.name),
      t,
      formats,
    );
    return (
      <Note key={key} tone="warn" icon="warn">
        {t(`ui.sites.${key}`, { names: shown, number: told.length })}
        {formats.space}
        <Link to="/sites">{t('ui.home.look_at_sites')}</Link>
      </Note>
    );
  });
}
