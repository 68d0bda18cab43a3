/* What is no longer as a pilot was launched: by arm the methods that followed, and whether anything was changed at all. Pure. */
import type { Schemas } from '../../api/client';

type Made = Pick<Schemas['PilotAmendment'], 'state' | 'changes'>;

export interface MethodFrom {
  round: number;
  method: string;
}

/** In the order of rounds. */
export function methodsSince(made: readonly Made[], arm: string): MethodFrom[] {
  return made
    .filter((one) => one.state === 'in_force')
    .flatMap((one) => one.changes)
    .filter((change) => change.arms.includes(arm))
    .flatMap(({ round, settings }) =>
      settings
        .filter((setting) => setting.field === 'method' && !setting.stays)
        .map((setting) => ({ round, method: String(setting.new) })),
    )
    .sort((a, b) => a.round - b.round);
}

/** Whether it is decided, and no run has got to its first round. */
export function isYetToBegin(one: Pick<Schemas['PilotAmendment'], 'state' | 'begun'>): boolean {
  return one.state === 'in_force' && !one.begun;
}

/** Sites for which runs wait now: those that take part in the round at which one of `runs` is. Without runs: at the start. */
export function sitesNeeded(
  spec: Pick<Schemas['PilotSpec'], 'sites' | 'waiting'>,
  made: readonly Pick<Schemas['PilotAmendment'], 'arm' | 'state' | 'from_round' | 'patch'>[],
  runs: readonly Pick<Schemas['Run'], 'arm' | 'rounds_done'>[],
): string[] {
  const first = spec.sites.map(({ name }) => name).filter((name) => !spec.waiting?.includes(name));
  const needed = runs.flatMap(({ arm, rounds_done: done }) => {
    const told = made.filter(
      (one) =>
        one.state === 'in_force' &&
        (one.arm === null || one.arm === arm) &&
        (one.from_round ?? Infinity) <= done + 1 &&
        one.patch.members,
    );
    return told.at(-1)?.patch.members ?? first;
  });
  return [...new Set(runs.length > 0 ? needed : first)];
}

/** Whether an amendment is in force, of the arm where one is named. */
export function isAmended(made: readonly Made[], arm?: string): boolean {
  return made.some(
    (one) =>
      one.state === 'in_force' &&
      one.changes.some((change) => arm === undefined || change.arms.includes(arm)),
  );
}
