/* How the arms that a result names were changed on the way to it: they may be called after a method that they left. Pure. */
import type { Schemas } from '../../api/client';

type Arm = Pick<Schemas['ArmOutcome'], 'arm' | 'amended'>;

/** So many changes are told one by one: the last. */
const TOLD = 3;

export interface MergedSince {
  arm: string;
  last: Schemas['ArmChanges'][];
  /** How many others there were before. */
  earlier: number;
}

export function mergedSince(arms: readonly Arm[], named: readonly unknown[]): MergedSince[] {
  return arms
    .filter(({ arm, amended }) => named.includes(arm) && amended.length > 0)
    .map(({ arm, amended }) => ({
      arm,
      last: amended.slice(-TOLD),
      earlier: Math.max(amended.length - TOLD, 0),
    }));
}
