/* What holds a run up at its sites, each thing once: waits that are alike at many sites are one. Pure. */
import type { Schemas } from '../../api/client';

type Explained = Schemas['RunExplained'];
type Wait = Explained['waits_for'][number];
export interface Held {
  wait: Wait;
  /** What people call the sites that wait so. */
  sites: readonly string[];
}

const PLANNED = new Set(['round_due', 'round_behind_runs', 'round_begins_now', 'window_closed']);

/** Whether somebody wanted it so: a timetable, a window, or who paused the run. */
export function isPlanned({ code }: Pick<Wait, 'code'>): boolean {
  return PLANNED.has(code) || code.startsWith('run_');
}

/** What has a consequence, what is trouble first. What the sentence about the run says already is left out. */
export function heldUp(of: Pick<Explained, 'code' | 'waits_for'>): Held[] {
  const isSaid = of.code === 'running_until_due';
  const found = new Map<string, Held>();
  for (const wait of of.waits_for) {
    if (wait.then === null || (isSaid && wait.code === 'round_due')) continue;
    const same = isPlanned(wait)
      ? `${wait.code} ${JSON.stringify(wait.params)}`
      : `${wait.code} ${wait.site}`;
    const sites = [...(found.get(same)?.sites ?? []), wait.display_name];
    found.set(same, { wait: found.get(same)?.wait ?? wait, sites });
  }
  return [...found.values()].sort((a, b) => Number(isPlanned(a.wait)) - Number(isPlanned(b.wait)));
}
