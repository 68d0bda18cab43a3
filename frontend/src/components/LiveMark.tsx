/* Says whether the page follows by itself, or is stale and trying to come back. */
import { useTranslation } from 'react-i18next';
import type { Connection } from '../live/stream';
import { Tag } from './StateBadge';

export function LiveMark({ connection }: { connection: Connection }) {
  const { t } = useTranslation();
  return (
    <span role="status" aria-live="polite">
      {connection === 'live' ? (
        <Tag tone="good" icon="check">
          {t('ui.live.live')}
        </Tag>
      ) : (
        <Tag tone={connection === 'lost' ? 'warn' : 'calm'} icon={connection === 'lost' ? 'warn' : 'clock'}>
          {t(`ui.live.${connection}`)}
        </Tag>
      )}
    </span>
  );
}
