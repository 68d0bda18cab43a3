/* What is no longer as a pilot was launched: by arm the methods that followed, and whether anything was changed at all. Pure. */
import type { Schemas } from '../../api/client';

type Value = Schemas['PlanFrom']['settings'][string];
type Made = Pick<Schemas['PilotAmendment'], 'state' | 'changes'>;

/** In the order of rounds. */
export function methodsSince(made: readonly Made[], arm: string): Schemas['MethodFrom'][] {
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

export interface PlanChanged {
  arm: string;
  round: number;
  /** Field and value; undefined: no single one. */
  settings: [string, Value | readonly string[] | undefined][];
}

/** Of each arm that was changed, how it runs from a round on: all that any of its amendments is about. */
export function plansChanged(made: readonly Made[], arms: readonly Schemas['ArmNow'][]): PlanChanged[] {
  return arms.flatMap(({ arm, plans }) => {
    const settings = made
      .filter((one) => one.state === 'in_force')
      .flatMap((one) => one.changes.filter((change) => change.arms.includes(arm)))
      .flatMap((change) => change.settings.map(({ field }) => field.replace(/^members\..*/, 'members')));
    const fields = [...new Set(settings)];
    if (fields.length === 0) return [];
    return plans.map((plan) => ({
      arm,
      round: plan.from_round,
      settings: fields.map((field): PlanChanged['settings'][number] => [
        field,
        field === 'members' ? plan.members : plan.settings[field],
      ]),
    }));
  });
}

/** `to_come`: it is in force, and no run has got to its first round yet; `never`: nor will any, as all ended before it. */
export function courseOf(
  one: Pick<Schemas['PilotAmendment'], 'state' | 'begun' | 'ahead' | 'missed'>,
): 'decided' | 'to_come' | 'never' {
  if (one.state !== 'in_force' || one.begun) return 'decided';
  return one.ahead.length > 0 ? 'to_come' : one.missed.length > 0 ? 'never' : 'decided';
}

type Spec = Pick<Schemas['PilotSpec'], 'sites' | 'waiting'>;
type Asked = Pick<Schemas['PilotAmendment'], 'arm' | 'state' | 'from_round' | 'patch'>;
type RunNow = Pick<Schemas['Run'], 'arm' | 'rounds_done'>;

/** Sites for which runs wait now: those that take part in the round at which one of `runs` is. Without runs: at the start. */
export function sitesNeeded(spec: Spec, made: readonly Asked[], runs: readonly RunNow[]): string[] {
  return [...new Set(membersNow(spec, made, runs).flat())];
}

/** The same by run. */
export function membersNow(spec: Spec, made: readonly Asked[], runs: readonly RunNow[]): string[][] {
  const first = spec.sites.map(({ name }) => name).filter((name) => !spec.waiting?.includes(name));
  if (runs.length === 0) return [first];
  return runs.map(({ arm, rounds_done: done }) => {
    const told = made.filter(
      (one) =>
        one.state === 'in_force' &&
        (one.arm === null || one.arm === arm) &&
        (one.from_round ?? Infinity) <= done + 1 &&
        one.patch.members,
    );
    return told.at(-1)?.patch.members ?? first;
  });
}

/** Whether an amendment is in force, of the arm where one is named. */
export function isAmended(made: readonly Made[], arm?: string): boolean {
  return made.some(
    (one) =>
      one.state === 'in_force' &&
      one.changes.some((change) => arm === undefined || change.arms.includes(arm)),
  );
}
