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

/** Sites for which runs wait: those that are to join later only once somebody has asked for it. */
export function sitesNeeded(
  spec: Pick<Schemas['PilotSpec'], 'sites' | 'waiting'>,
  made: readonly Pick<Schemas['PilotAmendment'], 'state' | 'patch'>[],
): string[] {
  const joined = made.flatMap((one) => (one.state === 'refused' ? [] : (one.patch.members ?? [])));
  return spec.sites
    .map(({ name }) => name)
    .filter((name) => !spec.waiting?.includes(name) || joined.includes(name));
}

/** Whether an amendment is in force, of the arm where one is named. */
export function isAmended(made: readonly Made[], arm?: string): boolean {
  return made.some(
    (one) =>
      one.state === 'in_force' &&
      one.changes.some((change) => arm === undefined || change.arms.includes(arm)),
  );
}
