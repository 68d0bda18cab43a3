/* What a pilot's runs do without sites that are away, as its policy says and as there are sites left. Pure. */
import type { Silent } from '../pilots/pilotDraft';

/** As `LEAST_MEMBERS` of dimat/members.py: with fewer no run goes on, whatever the policy. */
const LEAST = 2;

/** The sentence about those who are away. `runs`: by run who takes part in it yet, those that are away among them. */
export function awayKey(policy: Silent, away: readonly string[], runs: readonly (readonly string[])[]) {
  if (policy !== 'skip') return `away_${policy}` as const;
  const waiting = runs.filter((sites) => sites.some((name) => away.includes(name)));
  const short = waiting.filter((sites) => sites.filter((name) => !away.includes(name)).length < LEAST);
  if (short.length === 0) return 'away_skip';
  return short.length === waiting.length ? 'away_skip_short' : 'away_skip_short_some';
}
