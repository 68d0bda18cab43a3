/* Which limits of its sites a pilot is under. Pure. */
import type { Schemas } from '../../api/client';

type Limits = Schemas['SiteLimits'];
type Site = Pick<Schemas['SiteSpec'], 'name' | 'display_name' | 'max_epochs'>;
type Known = { name: string; limits: Limits };

/** By site, of those that have some. Of epochs a launched pilot keeps the limit of its launch; what the machine allows is asked for
    anew at every step, so of a pilot that has ended it is not known. */
export function limitsOf(
  pilot: { isDraft: boolean; goesOn: boolean; sites: readonly Site[] },
  known: readonly Known[],
): { name: string; limits: Limits }[] {
  const now = new Map(known.map((site) => [site.name, site.limits]));
  return pilot.sites
    .map((site) => {
      const its = now.get(site.name);
      return {
        name: site.display_name || site.name,
        limits: {
          max_epochs: (pilot.isDraft ? its?.max_epochs : site.max_epochs) ?? null,
          threads: (pilot.goesOn ? its?.threads : null) ?? null,
          memory_mb: (pilot.goesOn ? its?.memory_mb : null) ?? null,
        },
      };
    })
    .filter(({ limits }) => Object.values(limits).some((value) => value !== null));
}
