/* Pilots of which runs failed in the last days, and that nobody has begun anew since. Pure. */
import type { Schemas } from '../../api/client';

type Run = Pick<
  Schemas['Run'],
  'pilot_id' | 'pilot_name' | 'pilot_title' | 'arm' | 'state' | 'finished_at' | 'reason' | 'replaced_by'
>;
export interface Failed {
  pilot: string;
  name: string;
  /** When the last of them failed. */
  at: string;
  arms: string[];
  reasons: Schemas['Text'][];
}

const DAYS_MS = 7 * 86_400_000;

/** The last first. What failed for the same reason is one. */
export function failedLately(runs: readonly Run[], now: number): Failed[] {
  const found = new Map<string, Failed>();
  for (const { finished_at: at, reason, ...run } of runs) {
    if (run.state !== 'failed' || run.replaced_by !== null || !at || now - Date.parse(at) > DAYS_MS) continue;
    const known = found.get(run.pilot_id);
    const { arms = [], reasons = [] }: Partial<Failed> = known ?? {};
    found.set(run.pilot_id, {
      pilot: run.pilot_id,
      name: run.pilot_title || run.pilot_name,
      at: known && Date.parse(known.at) > Date.parse(at) ? known.at : at,
      arms: arms.includes(run.arm) ? arms : [run.arm, ...arms],
      reasons: !reason || reasons.some((one) => isSame(one, reason)) ? reasons : [...reasons, reason],
    });
  }
  return [...found.values()].sort((one, other) => Date.parse(other.at) - Date.parse(one.at));
}

const isSame = (one: Schemas['Text'], other: Schemas['Text']) =>
  one.code === other.code && JSON.stringify(one.params) === JSON.stringify(other.params);
