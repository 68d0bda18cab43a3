/* The sentence on top: who gains, who loses, against doing nothing; and how far to trust it. */
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../../api/client';
import { Tag } from '../../components/StateBadge';
import { useSay } from '../../i18n/say';

export function PilotHeadline({
  summary,
  children,
}: {
  summary: Schemas['PilotSummary'];
  children?: ReactNode;
}) {
  const { t, i18n } = useTranslation();
  const say = useSay();
  const said = [summary.sentence, ...(summary.who ? [summary.who] : [])].map((text) => say('summary', text));
  const enough = summary.evidence.code === 'evidence_seeds';
  return (
    <div className="aw-headline">
      <p className="aw-headline-text">{said.join(i18n.language === 'ja' ? '' : ' ')}</p>
      <div className="aw-headline-marks">
        <Tag tone={enough ? 'good' : 'warn'} icon={enough ? 'check' : 'warn'}>
          {say('summary', summary.evidence)}
        </Tag>
        {summary.simulated ? (
          <Tag tone="calm" icon="info">
            {t('ui.pilot.simulated')}
          </Tag>
        ) : null}
      </div>
      <p className="aw-soft aw-small">{say('summary', summary.status)}</p>
      {children}
    </div>
  );
}
