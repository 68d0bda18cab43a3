/* What holds a run up at its sites, each thing once: waits that are alike at many sites are one. Pure. */
import type { Schemas } from '../../api/client';

type Explained = Schemas['RunExplained'];
type Wait = Explained['waits_for'][number];
export interface Held {
  wait: Wait;
  /** What people call the sites that wait so. */
  sites: readonly string[];
}

/** By sentence about a run what it says of all sites already. */
const SAID: Partial<Record<string, string>> = {
  running_until_due: 'round_due',
  running_until_arm: 'lead',
  running_until_arm_at_start: 'lead_at_start',
};
const AWAY = new Set(['site_silent', 'site_not_connected']);

/** What has a consequence, what is trouble first. What the sentence about the run says already is left out. Sites that are away are
    one thing: since when all of them are, and what happens first. */
export function heldUp(of: Pick<Explained, 'code' | 'waits_for'>): Held[] {
  const said = SAID[of.code];
  const found = new Map<string, Held>();
  for (const wait of of.waits_for) {
    if (wait.then === null || wait.code === said) continue;
    const same = AWAY.has(wait.code)
      ? `${wait.code} ${wait.then.code}`
      : wait.is_planned
        ? `${wait.code} ${JSON.stringify(wait.params)}`
        : `${wait.code} ${wait.site}`;
    const known = found.get(same);
    found.set(same, {
      wait: known ? together(known.wait, wait) : wait,
      sites: [...(known?.sites ?? []), wait.display_name],
    });
  }
  return [...found.values()].sort((a, b) => Number(a.wait.is_planned) - Number(b.wait.is_planned));
}

function together(one: Wait, other: Wait): Wait {
  const last = time(one.since) < time(other.since) ? other : one;
  const first = time(one.then?.at) <= time(other.then?.at) ? one : other;
  return { ...last, then: first.then };
}

const time = (at: string | null | undefined) => (at ? Date.parse(at) : Infinity);
