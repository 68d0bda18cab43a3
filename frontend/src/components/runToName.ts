/* Which run an event of a pilot is of, where its sentence does not say so. Pure. */
import type { PilotEvent } from '../live/stream';

/** `runs`: by id what a run is called: its arm, or the arm and the seed. */
export function runToName(
  { run_id: id, code, params }: Pick<PilotEvent, 'run_id' | 'code' | 'params'>,
  runs: ReadonlyMap<string, string>,
): string | undefined {
  const run = id === null ? undefined : runs.get(id);
  // What happens to a run as a whole is told with its arm.
  return code.startsWith('run_') && run === params.arm ? undefined : run;
}
