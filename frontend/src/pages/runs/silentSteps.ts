/* Why a step that its site has not begun does not begin: the site is away, or in no round yet. Pure. */
import type { Schemas } from '../../api/client';

type Step = Pick<Schemas['Step'], 'state' | 'site_name'>;
type Site = Pick<Schemas['RunExplained']['sites'][number], 'site' | 'doing' | 'since' | 'code' | 'params'>;
const NOT_BEGUN: ReadonlySet<string> = new Set(['ready', 'dispatched', 'lost']);

/** The site, where nothing is heard of it (`since` null: it was never there), or it takes no part, so that nobody waits for the step. */
export function awayFor(step: Step, sites: readonly Site[]): Site | undefined {
  if (!NOT_BEGUN.has(step.state)) return undefined;
  return sites.find(
    ({ site, doing }) => site === step.site_name && (doing === 'silent' || doing === 'apart'),
  );
}

/** Those of `silent` that a run waits for, as its progress names them. */
export function silentAwaited(
  { params }: Pick<Schemas['Run']['progress'], 'params'>,
  silent: readonly string[],
): string[] {
  const awaited = typeof params.waiting === 'string' ? params.waiting.split(', ') : [];
  return silent.filter((name) => awaited.includes(name));
}
