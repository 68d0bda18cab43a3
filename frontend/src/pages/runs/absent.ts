/* What a run says of sites that it went on without: over how many its means are, and whether that is so yet. Pure. */
import type { TFunction } from 'i18next';
import type { Schemas } from '../../api/client';

type Run = Pick<Schemas['Run'], 'state' | 'num_sites' | 'mean_over'>;
const ENDED: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled']);

export function sitesIn(run: Run, t: TFunction): string {
  return run.mean_over === null || run.mean_over === run.num_sites
    ? t('ui.run.sites_all', { sites: run.num_sites })
    : t('ui.run.sites_some', { over: run.mean_over, sites: run.num_sites });
}

export function absenceKey(run: Run, absence: Pick<Schemas['Absence'], 'until_round'>) {
  if (absence.until_round !== null) return 'ui.run.left_out_until';
  return ENDED.has(run.state) ? 'ui.run.left_out_to_end' : 'ui.run.left_out';
}
