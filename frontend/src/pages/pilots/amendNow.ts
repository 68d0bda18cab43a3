/* What a change would begin with: the first round that it may count from, and how the chosen arms run from there on if nobody asks for more. Pure. */
import type { Schemas } from '../../api/client';
import { amendmentOf, type AmendDraft, type Now } from './amendDraft';

type ArmNow = Schemas['ArmNow'];
type Value = ArmNow['plans'][number]['settings'][string];

export interface Present {
  /** The next round; null: not known, or none is left. */
  nextRound: number | null;
  /** The first round for changes of what was sent for the next one already; null: as `nextRound`, or an arm has none left. */
  firstFree: number | null;
  /** Undefined: not known, or not the same in all of the arms that the setting is of, or in both rounds from which it may count. */
  value: (field: string) => Value | undefined;
  /** Names of the sites that take part. */
  members: readonly string[];
}

/** @param control whether the arm of this name was launched as one that trains alone: of a change for every arm only training and
    members reach it. */
export function presentOf(
  arms: readonly ArmNow[],
  control: (arm: string) => boolean,
  draft: AmendDraft,
  now: Now,
): Present {
  const chosen = (isOfAll: boolean) =>
    arms.filter(({ arm }) => (draft.arm === '' ? isOfAll || !control(arm) : arm === draft.arm));
  const set = Object.keys(amendmentOf(draft, now).patch);
  const isOfAll = set.length === 0 || set.includes('train') || set.includes('members');
  const of = chosen(isOfAll);
  const nextRound = last(of.flatMap((one) => one.next_round ?? []));
  const goingOn = of.filter((one) => one.next_round !== null);
  const isFreeInAll = goingOn.every((one) => one.first_free_round !== null);
  const firstFree = isFreeInAll ? last(goingOn.flatMap((one) => one.first_free_round ?? [])) : null;
  // Which of both it will be, the server says once it has seen the change.
  const rounds = draft.fromRound === '' ? [nextRound ?? 0, firstFree ?? nextRound ?? 0] : [draft.fromRound];
  const plans = (those: readonly ArmNow[]) =>
    rounds.flatMap((round) =>
      those.flatMap(({ plans: all }) => all.findLast((plan) => plan.from_round <= round) ?? all.slice(0, 1)),
    );
  return {
    nextRound,
    firstFree,
    value: (field) => {
      const [first, ...others] = plans(chosen(field.startsWith('train.'))).map(
        ({ settings }) => settings[field],
      );
      return others.every((other) => other === first) ? first : undefined;
    },
    members: plans(arms)[0]?.members ?? [],
  };
}

function last(rounds: readonly number[]): number | null {
  return rounds.length > 0 ? Math.max(...rounds) : null;
}

/** Who is to take part, as the form has it: empty where that is who does so anyway. */
export function membersAsked(members: string[], present: readonly string[]): string[] {
  const isSame = members.length === present.length && members.every((name) => present.includes(name));
  return isSame ? [] : members;
}
