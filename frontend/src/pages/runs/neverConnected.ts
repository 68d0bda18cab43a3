/* Which site a run ended for that no worker has ever served: a reason tells only that there was no sign of life. Pure. */
import type { Schemas } from '../../api/client';

type Site = Schemas['RunExplained']['sites'][number];

/** Reasons that name a site for which a run waited in vain; where it had finished no round, `_at_start` follows. */
const WAITED_FOR = new Set(['site_silent_too_long', 'stopped_for_silent_site', 'too_few_sites_left']);

export function endedForSilence(reason: Pick<Schemas['Text'], 'code'> | null): boolean {
  return reason !== null && WAITED_FOR.has(reason.code.replace(/_at_start$/, ''));
}

export function neverConnected<S extends Pick<Site, 'code'>>(sites: readonly S[]): S | undefined {
  return sites.find(({ code }) => code === 'ended_run_never');
}
