/* What a pilot's badge says. Pure. */
import type { Schemas } from '../../api/client';

/** A launched pilot whose runs have all ended is finished: nothing more will come of itself. That some failed is no success. Where
    none of the others is at work it is paused. */
export function pilotState(pilot: Pick<Schemas['Pilot'], 'state' | 'runs_summary'>): string {
  if (pilot.state === 'launched' && isPaused(pilot)) return 'paused';
  const { queued, running, paused, completed, failed, cancelled } = pilot.runs_summary;
  const ended = completed + failed + cancelled;
  if (pilot.state !== 'launched' || queued + running + paused > 0 || ended === 0) return pilot.state;
  if (completed === 0) return failed > 0 ? 'failed' : 'cancelled';
  return failed > 0 ? 'finished_in_part' : 'finished';
}

/** Nothing goes on, and no round begins at its time, until somebody resumes a run. */
export function isPaused({ runs_summary: runs }: Pick<Schemas['Pilot'], 'runs_summary'>): boolean {
  return runs.paused > 0 && runs.queued + runs.running === 0;
}

export type Ask = 'pause' | 'resume' | 'cancel';

/** What its runs may be asked for. */
export function asksOf({ runs_summary: runs }: Pick<Schemas['Pilot'], 'runs_summary'>): Ask[] {
  const asks: Ask[] = [];
  if (runs.queued + runs.running > 0) asks.push('pause');
  if (runs.paused > 0) asks.push('resume');
  if (runs.queued + runs.running + runs.paused > 0) asks.push('cancel');
  return asks;
}
