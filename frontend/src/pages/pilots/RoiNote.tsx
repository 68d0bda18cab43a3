/* The sentence about ROI, how far to trust it, and that the money figures may be examples. */
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../../api/client';
import { Tag } from '../../components/StateBadge';
import { useSay } from '../../i18n/say';

export function RoiNote({ roi }: { roi: Schemas['RoiReport'] }) {
  const { t } = useTranslation();
  const say = useSay();
  return (
    <div className={`aw-note ${roi.disagree ? 'aw-warn' : 'aw-calm'}`}>
      <div>
        <strong>{say('roi', roi.sentence)}</strong>
        {roi.disagree ? (
          <p>
            {roi.example
              ? t('roi.disagree_next')
              : t('roi.disagree_chosen', { basis: t(`figures.basis_${basisName(roi.value_basis)}`) })}
          </p>
        ) : null}
        <p>{say('roi', roi.evidence)}</p>
        {roi.comparison_notes.map((note) => (
          <p key={`${note.code} ${String(note.params.arm)}`}>{say('roi', note)}</p>
        ))}
        {roi.cost_notes.map((note) => (
          <p key={note.code} className="aw-small">
            {say('roi', note)}
          </p>
        ))}
        {roi.example ? (
          <div className="aw-headline-marks">
            <Tag tone="warn" icon="warn">
              {t('ui.roi.example')}
            </Tag>
          </div>
        ) : null}
      </div>
    </div>
  );
}

function basisName(basis: Schemas['RoiReport']['value_basis']): string {
  return typeof basis === 'string' ? basis : basis ? 'blend' : 'own_site';
}
