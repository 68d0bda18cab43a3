/* After which round the results of a pilot are, and why one may be missing, as keys of the catalogue and their params. Pure. */
import type { Schemas } from '../../api/client';
import type { Formats } from '../../i18n/formats';
import type { Word } from './armWords';

type Arm = Schemas['ArmOutcome'];

export function roundsOf(arms: readonly Pick<Arm, 'round'>[]): number[] {
  return [...new Set(arms.flatMap(({ round }) => (round === null ? [] : [round])))];
}

/** Of the table of the arms, where the round is the same for all. `isEnded`: they have come to a later one that is not compared. */
export function roundWords(arms: readonly Pick<Arm, 'round'>[], isEnded: boolean): Word[] {
  const [round, ...others] = roundsOf(arms);
  if (round === undefined || others.length > 0) return [];
  return [{ key: isEnded ? 'ui.pilot.arms_round' : 'ui.pilot.arms_round_last', params: { round } }];
}

/** Which arms fetched how much in vain, of those that did. */
export function wastedWords(arms: readonly Pick<Arm, 'arm' | 'bytes_wasted'>[], formats: Formats): Word[] {
  return arms
    .filter(({ bytes_wasted: wasted }) => wasted > 0)
    .map(({ arm, bytes_wasted: wasted }) => ({
      key: 'ui.pilot.arm_bytes',
      params: { arm, bytes: formats.bytes(wasted) },
    }));
}

/** Of the table of an arm's sites. */
export function siteWords({
  arm,
  round,
  by_site: sites,
}: Pick<Arm, 'arm' | 'round'> & { by_site: readonly Pick<Schemas['SiteOutcome'], 'own_site'>[] }): Word[] {
  if (round === null) return [{ key: 'ui.pilot.by_site_not_yet', params: { arm } }];
  return [
    { key: 'ui.pilot.by_site_help', params: { arm, round } },
    ...(sites.some((site) => site.own_site === null) ? [{ key: 'ui.pilot.by_site_without' }] : []),
  ];
}
