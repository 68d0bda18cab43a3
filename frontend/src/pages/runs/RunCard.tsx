import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import type { Schemas } from '../../api/client';
import { StateBadge } from '../../components/StateBadge';
import { useFormats } from '../../i18n/useFormats';
import { silentAwaited } from './silentSteps';
import { useProgressWords } from './useProgressWords';

/** `silent`: what people call the sites of which nothing is heard. */
export function RunCard({ run, silent }: { run: Schemas['Run']; silent: readonly string[] }) {
  const { t } = useTranslation();
  const formats = useFormats();
  const awaited = silentAwaited(run.progress, silent);
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
      {awaited.length > 0 ? (
        <span className="aw-small aw-text-warn" style={{ display: 'block' }}>
          {t('ui.home.awaits_silent', { names: formats.list(awaited) })}
        </span>
      ) : null}
      <span className="aw-bar" aria-hidden="true" style={{ display: 'block' }}>
        <i style={{ width: `${(share * 100).toFixed(1)}%` }} />
      </span>
    </Link>
  );
}
