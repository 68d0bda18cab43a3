import { expect, it } from 'vitest';
import { formatsOf } from '../../i18n/formats';
import { roundWords, siteWords, wastedWords } from './outcomeWords';

it('accuracies are said to be those of the last round that all arms have finished, where that is why', () => {
  const at = (...rounds: (number | null)[]) => rounds.map((round) => ({ round }));
  const last = { key: 'ui.pilot.arms_round_last', params: { round: 82 } };
  expect(roundWords(at(82, 82), false)).toEqual([last]);
  // An amendment has ended the comparison before that.
  expect(roundWords(at(82, null, 82), true)).toEqual([{ ...last, key: 'ui.pilot.arms_round' }]);
  expect(roundWords(at(82, 40), false)).toEqual([]);
  expect(roundWords(at(null), false)).toEqual([]);
});

it('results by site name their round, and say why a site has none', () => {
  const of = (round: number | null, ...own: (number | null)[]) =>
    siteWords({ arm: 'dimat', round, by_site: own.map((own_site) => ({ own_site })) });
  const help = { key: 'ui.pilot.by_site_help', params: { arm: 'dimat', round: 25 } };
  expect(of(25, 0.9, 0.8)).toEqual([help]);
  expect(of(25, 0.9, null)).toEqual([help, { key: 'ui.pilot.by_site_without' }]);
  expect(of(null, null)).toEqual([{ key: 'ui.pilot.by_site_not_yet', params: { arm: 'dimat' } }]);
});

it('names the arms that fetched something in vain, and none else', () => {
  const arms = [
    { arm: 'local_only', bytes_wasted: 0 },
    { arm: 'dimat', bytes_wasted: 8_200_000 },
  ];
  const told = [{ key: 'ui.pilot.arm_bytes', params: { arm: 'dimat', bytes: '8.2 MB' } }];
  expect(wastedWords(arms, formatsOf('en'))).toEqual(told);
});
