import { expect, it } from 'vitest';
import { failedLately } from './failedLately';

const NOW = Date.parse('2026-01-10T00:00:00Z');
const memory = { code: 'memory_over_limit', params: { site: 'Sendai' }, text: '' };
const run = (pilot: string, arm: string, finished_at: string, more = {}) => ({
  pilot_id: pilot,
  pilot_name: pilot,
  pilot_title: '',
  arm,
  state: 'failed' as const,
  finished_at,
  reason: memory,
  replaced_by: null,
  ...more,
});

it('names pilots that failed in the last seven days, the last first, each once', () => {
  const found = failedLately(
    [
      run('scrap', 'dimat', '2026-01-08T02:00:00Z'),
      run('scrap', 'alone', '2026-01-08T01:00:00Z'),
      run('later', 'alone', '2026-01-09T01:00:00Z', { pilot_title: 'Later' }),
      run('old', 'alone', '2026-01-02T01:00:00Z'),
    ],
    NOW,
  );
  expect(found.map(({ name, at, causes }) => [name, at, causes])).toEqual([
    ['Later', '2026-01-09T01:00:00Z', [{ arms: ['alone'], reason: memory }]],
    ['scrap', '2026-01-08T02:00:00Z', [{ arms: ['alone', 'dimat'], reason: memory }]],
  ]);
});

it('tells arms beside their reason, in one order, and reasons that differ in figures only once', () => {
  const silent = (seconds: number, site = 'Kobe') => ({
    code: 'site_silent_too_long',
    params: { site, seconds, round: seconds },
    text: '',
  });
  const at = '2026-01-08T02:00:00Z';
  const found = failedLately(
    [
      run('scrap', 'regmean', at),
      run('scrap', 'dimat', at, { reason: silent(60) }),
      run('scrap', 'fisher', at, { reason: silent(60, 'Osaka') }),
      run('scrap', 'alone', at, { reason: silent(61) }),
    ],
    NOW,
  );
  expect(found[0]?.causes).toEqual([
    { arms: ['fisher'], reason: silent(60, 'Osaka') },
    { arms: ['alone', 'dimat'], reason: silent(60) },
    { arms: ['regmean'], reason: memory },
  ]);
});

it('names no run that was begun anew, or is not told to have failed', () => {
  const at = '2026-01-09T01:00:00Z';
  const runs = [
    run('a', 'dimat', at, { replaced_by: 'run-2' }),
    run('b', 'dimat', at, { state: 'completed' }),
  ];
  expect(failedLately(runs, NOW)).toEqual([]);
});
