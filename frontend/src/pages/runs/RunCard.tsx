import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import type { Schemas } from '../../api/client';
import { StateBadge } from '../../components/StateBadge';
import { useProgressWords } from './useProgressWords';

export function RunCard({ run }: { run: Schemas['Run'] }) {
  const { t } = useTranslation();
  const progress = useProgressWords();
  const share = Math.max(0, run.rounds_done) / run.rounds;
  return (
    <Link to={`/runs/${run.id}`} className="aw-card">
      <span className="aw-card-head">
        <span className="aw-card-title">{run.arm}</span>
        <StateBadge of="run" state={run.state} />
      </span>
      <span className="aw-sub">
        {t('ui.runs.of_pilot', { pilot: run.pilot_title || run.pilot_name, seed: run.seed })}
      </span>
      <span className="aw-small">{progress(run)}</span>
      <span className="aw-bar" aria-hidden="true" style={{ display: 'block' }}>
        <i style={{ width: `${(share * 100).toFixed(1)}%` }} />
      </span>
    </Link>
  );
}
