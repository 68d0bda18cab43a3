/* That a part of the server is away, for pages on which all else would read as if nothing were: how sites are nobody knows then. */
import { useTranslation } from 'react-i18next';
import { useHealth } from '../../api/session';
import { Note } from '../../components/Answer';
import { useFormats } from '../../i18n/useFormats';
import { partAway } from './waitsForServer';

export function usePartAway() {
  const health = useHealth().data;
  return health && !health.starting ? partAway(health) : null;
}

export function PartAway() {
  const { t } = useTranslation();
  const formats = useFormats();
  const away = usePartAway();
  return away ? (
    <Note tone="bad" icon="warn">
      {t(`ui.home.${away.code}`, { since: formats.moment(away.since) })}
    </Note>
  ) : (
    <StoreAway />
  );
}

/** Sites are heard of all the same, and runs that wait for it say so themselves. */
function StoreAway() {
  const { t } = useTranslation();
  const formats = useFormats();
  const since = useHealth().data?.store.away_since;
  return since ? (
    <Note tone="bad" icon="warn">
      {t('ui.home.store_away', { since: formats.moment(since) })}
    </Note>
  ) : null;
}
