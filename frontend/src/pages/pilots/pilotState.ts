/* What a pilot's badge says. Pure. */
import type { Schemas } from '../../api/client';

/** A launched pilot whose runs have all ended is finished: nothing more will come of itself. */
export function pilotState(pilot: Pick<Schemas['Pilot'], 'state' | 'runs_summary'>): string {
  const { queued, running, ...ended } = pilot.runs_summary;
  const anyEnded = Object.values(ended).some((number) => number > 0);
  return pilot.state === 'launched' && queued + running === 0 && anyEnded ? 'finished' : pilot.state;
}
