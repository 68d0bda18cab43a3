/* Which arms a change of training would no longer let be measured against the arm that trains alone: `comparison_ends` of
   dimat/amending.py decides by the same rule. Pure. */
import type { Schemas } from '../../api/client';
import type { AmendDraft } from './amendDraft';

export interface ComparisonEnd {
  arms: string[];
  round: number;
  /** Whether the same change for every arm would end none. */
  isKeptByAll: boolean;
}

type Made = Pick<Schemas['PilotAmendment'], 'comparison_ends'>;

/** The last round by which arms are judged, all by the same; null: no comparison ends. An arm that is compared in no round holds no
    other back. */
export function judgedUpTo(made: readonly Made[], ...ends: number[]): number | null {
  const rounds = [...ends, ...made.flatMap((one) => one.comparison_ends.map(({ round }) => round))];
  const held = rounds.filter((round) => round > 1);
  return held.length > 0 ? Math.min(...held) - 1 : null;
}

/** @param control name of the arm that trains alone. `begins`: the first round of the change. */
export function comparisonEnd(
  arms: readonly Schemas['ArmNow'][],
  control: string | undefined,
  made: readonly Made[],
  draft: AmendDraft,
  begins: number | null,
): ComparisonEnd | null {
  const alone = arms.find(({ arm }) => arm === control);
  if (!alone || begins === null) return null;
  const reaches = (one: Schemas['ArmNow']) =>
    draft.arm === '' ? one.next_round !== null : one.arm === draft.arm;
  const hasEnded = (arm: string, round: number) =>
    made.some((one) => one.comparison_ends.some((end) => end.arm === arm && end.round <= round));
  const ends = arms
    .filter((one) => one !== alone && reaches(one) !== reaches(alone))
    .flatMap((one) => {
      const round = trainsOtherwise(reaches(one) ? one : alone, draft, begins);
      return round === null || hasEnded(one.arm, round) ? [] : [{ arm: one.arm, round }];
    });
  if (ends.length === 0) return null;
  return {
    arms: ends.map(({ arm }) => arm),
    round: Math.min(...ends.map(({ round }) => round)),
    isKeptByAll: draft.arm !== '' && arms.every((one) => one.next_round !== null),
  };
}

/** The first round from `begins` on in which the arm would be trained otherwise than without the change. */
function trainsOtherwise(arm: Schemas['ArmNow'], draft: AmendDraft, begins: number): number | null {
  const asked = { 'train.epochs': draft.epochs, 'train.lr': draft.lr, 'train.momentum': draft.momentum };
  const plan = arm.plans.find(
    ({ settings }, place) =>
      (arm.plans[place + 1]?.from_round ?? Infinity) > begins &&
      Object.entries(asked).some(([field, value]) => value !== '' && settings[field] !== value),
  );
  return plan ? Math.max(plan.from_round, begins) : null;
}
