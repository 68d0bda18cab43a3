/* What a run says of sites that it went on without: over how many its means are, what they missed, and whether that is so yet. Pure. */
import type { TFunction } from 'i18next';
import type { Schemas } from '../../api/client';

type Run = Pick<Schemas['Run'], 'state' | 'rounds' | 'rounds_done' | 'num_sites' | 'mean_over'>;
type Absence = Pick<Schemas['Absence'], 'from_round' | 'until_round' | 'undone'>;
const ENDED: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled']);

export function sitesIn(run: Pick<Run, 'num_sites' | 'mean_over'>, t: TFunction): string {
  return run.mean_over === null || run.mean_over === run.num_sites
    ? t('ui.run.sites_all', { sites: run.num_sites })
    : t('ui.run.sites_some', { over: run.mean_over, sites: run.num_sites });
}

/** Those of whom the same is to be said. */
export function alike<A extends Absence>(run: Run, absences: readonly A[], t: TFunction): [A, ...A[]][] {
  const found = new Map<string, [A, ...A[]]>();
  for (const one of absences) {
    const same = [absenceKey(run, one), missedFrom(one, t), one.until_round].join(' ');
    const known = found.get(same);
    if (known) known.push(one);
    else found.set(same, [one]);
  }
  return [...found.values()];
}

export function absenceKey(run: Run, absence: Absence) {
  if (isOfStartAlone(run, absence)) return 'ui.run.start_not_judged';
  const { until_round: until } = absence;
  if (until !== null && until <= run.rounds_done + 1) return 'ui.run.left_out_until';
  if (ENDED.has(run.state)) return 'ui.run.left_out_to_end';
  return until === null ? 'ui.run.left_out' : 'ui.run.left_out_coming_back';
}

type WithAbsences = Pick<Run, 'rounds'> & { absences: readonly (Absence & { site: string })[] };

/** The sites without which all of these runs go on; one of which only the start was not judged takes part. */
export function leftOutOfAll(runs: readonly WithAbsences[]): string[] {
  const [first, ...others] = runs.map((run) =>
    run.absences
      .filter((one) => one.until_round === null && !isOfStartAlone(run, one))
      .map(({ site }) => site),
  );
  return (first ?? []).filter((site) => others.every((sites) => sites.includes(site)));
}

/** By run, in the same order, its members but those without which it goes on. */
export function takingPart(
  runs: readonly WithAbsences[],
  members: readonly (readonly string[])[],
): string[][] {
  return members.map((names, place) => {
    const out = leftOutOfAll(runs.slice(place, place + 1));
    return names.filter((name) => !out.includes(name));
  });
}

/** The first of what the site missed: a step, where others had taken in its model of that round. */
export function missedFrom(absence: Absence, t: TFunction): string {
  const step = owed(absence);
  return step === undefined
    ? t('ui.run.missed_round', { round: absence.from_round })
    : t('ui.run.missed_step', { kind: t(`ui.step_kind.${step.kind}`), round: step.round });
}

function isOfStartAlone(run: Pick<Run, 'rounds'>, absence: Absence): boolean {
  return absence.from_round > run.rounds && owed(absence) === undefined;
}

/** How its start was judged may be missing, too: that is told only where it missed nothing else. */
function owed({ undone }: Absence) {
  return undone.find(({ round }) => round > 0);
}
