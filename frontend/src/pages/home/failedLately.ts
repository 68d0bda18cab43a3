/* Pilots of which runs failed in the last days, and that nobody has begun anew since. Pure. */
import type { Schemas } from '../../api/client';

type Run = Pick<
  Schemas['Run'],
  'pilot_id' | 'pilot_name' | 'pilot_title' | 'arm' | 'state' | 'finished_at' | 'reason' | 'replaced_by'
>;
export interface Cause {
  arms: string[];
  reason: Schemas['Text'] | null;
}
export interface Failed {
  pilot: string;
  name: string;
  /** When the last of them failed. */
  at: string;
  causes: Cause[];
}

const DAYS_MS = 7 * 86_400_000;

/** The last first. Args: runs: the newest first; arms are told in the order in which their runs were made. */
export function failedLately(runs: readonly Run[], now: number): Failed[] {
  const found = new Map<string, Failed>();
  for (const { finished_at: at, ...run } of runs) {
    if (run.state !== 'failed' || run.replaced_by !== null || !at || now - Date.parse(at) > DAYS_MS) continue;
    const known = found.get(run.pilot_id);
    found.set(run.pilot_id, {
      pilot: run.pilot_id,
      name: run.pilot_title || run.pilot_name,
      at: known && Date.parse(known.at) > Date.parse(at) ? known.at : at,
      causes: withRun(known?.causes ?? [], run),
    });
  }
  return [...found.values()].sort((one, other) => Date.parse(other.at) - Date.parse(one.at));
}

/** Reasons that differ in figures only, as how long a site was silent and in which round, are one. */
function withRun(causes: readonly Cause[], { arm, reason }: Pick<Run, 'arm' | 'reason'>): Cause[] {
  const place = causes.findIndex((one) => kindOf(one.reason) === kindOf(reason));
  if (place < 0) return [{ arms: [arm], reason }, ...causes];
  return causes.map((one, at) =>
    at !== place || one.arms.includes(arm) ? one : { ...one, arms: [arm, ...one.arms] },
  );
}

function kindOf(reason: Cause['reason']): string {
  const named = Object.entries(reason?.params ?? {}).filter(([, value]) => typeof value !== 'number');
  return JSON.stringify([reason?.code, ...named]);
}
