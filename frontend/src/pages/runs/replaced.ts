/* What is still to be offered and said of a run in whose place another may count. Pure. */
import type { Schemas } from '../../api/client';

type Run = Pick<Schemas['Run'], 'state' | 'rounds_done' | 'replaced_by' | 'restarted' | 'reason'>;
const STANDING: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled', 'paused']);

export function mayBeRestarted(run: Pick<Run, 'state' | 'rounds_done' | 'replaced_by'>): boolean {
  return STANDING.has(run.state) && run.rounds_done >= 0 && run.replaced_by === null;
}

/** After the last round of a completed run there is nothing left to do. */
export function lastToRestartFrom(run: Pick<Schemas['Run'], 'state' | 'rounds_done'>): number {
  return run.state === 'completed' ? run.rounds_done - 1 : run.rounds_done;
}

/** Why a run failed says what to do about it, which somebody has done where it was replaced. */
export function reasonToTell(run: Run): Run['reason'] {
  const isDone = run.state === 'failed' && run.replaced_by !== null;
  return run.state === 'completed' || isDone || run.reason?.code === run.restarted?.code ? null : run.reason;
}

/** Of a run that was restarted: the run that counts, and the one that came next where that was restarted, too. */
export function inItsPlace(
  run: Pick<Schemas['Run'], 'replaced_by' | 'counts_instead'>,
): { counts: string; next: string | null } | null {
  const { replaced_by: next, counts_instead: counts } = run;
  if (next === null) return null;
  return counts === null || counts === next ? { counts: next, next: null } : { counts, next };
}
