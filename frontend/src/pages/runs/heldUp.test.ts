import { expect, it } from 'vitest';
import type { Schemas } from '../../api/client';
import { heldUp } from './heldUp';

const AWAY = new Set(['site_silent', 'site_not_connected']);
type Wait = Schemas['RunExplained']['waits_for'][number];

function wait(code: string, site: string, until = '2026-01-05T02:00:00+00:00'): Wait {
  const then = { code: 'then', params: {}, text: '', at: until };
  return {
    code,
    site,
    display_name: site.toUpperCase(),
    params: { until },
    text: '',
    since: null,
    sites: [],
    num_sites: 0,
    then,
    is_planned: !AWAY.has(code),
  };
}

it('says what was planned once for all sites, and after what is trouble', () => {
  const waits_for = [wait('window_closed', 'a'), wait('site_silent', 'b'), wait('window_closed', 'c')];
  const found = heldUp({ code: 'running', waits_for });
  expect(found.map((one) => [one.wait.code, one.sites, one.wait.is_planned])).toEqual([
    ['site_silent', ['B'], false],
    ['window_closed', ['A', 'C'], true],
  ]);
});

it('says once what holds an arm that trains alone, and first the site that is away', () => {
  const waits_for = [wait('lead', 'a'), wait('lead', 'b'), wait('lead', 'c'), wait('site_silent', 'd')];
  const found = heldUp({ code: 'running', waits_for });
  expect(found.map((one) => [one.wait.code, one.sites])).toEqual([
    ['site_silent', ['D']],
    ['lead', ['A', 'B', 'C']],
  ]);
});

it('keeps apart what is planned for other times, and what ends in another way', () => {
  const waits_for = [
    wait('window_closed', 'a'),
    wait('window_closed', 'b', '2026-01-05T04:00:00+00:00'),
    wait('site_silent', 'c'),
    wait('site_not_connected', 'd'),
  ];
  expect(heldUp({ code: 'running', waits_for })).toHaveLength(4);
});

it('says of all silent sites at once since when none of them is heard, and what comes of it first', () => {
  const silent = (site: string, since: string, until: string) => ({
    ...wait('site_silent', site, until),
    since,
  });
  const waits_for = [
    silent('a', '2026-01-05T01:00:00+00:00', '2026-01-05T03:00:00+00:00'),
    silent('b', '2026-01-05T01:30:00+00:00', '2026-01-05T03:30:00+00:00'),
    silent('c', '2026-01-05T01:10:00+00:00', '2026-01-05T03:10:00+00:00'),
  ];
  const [held, ...more] = heldUp({ code: 'running', waits_for });
  expect(more).toEqual([]);
  expect(held?.sites).toEqual(['A', 'B', 'C']);
  expect(held?.wait.since).toBe('2026-01-05T01:30:00+00:00');
  expect(held?.wait.then?.at).toBe('2026-01-05T03:00:00+00:00');
});

it('does not say again what the sentence about the run says', () => {
  const waits_for = [wait('round_due', 'a'), wait('round_due', 'b')];
  expect(heldUp({ code: 'running_until_due', waits_for })).toEqual([]);
  expect(heldUp({ code: 'running_until_arm', waits_for: [wait('lead', 'a')] })).toEqual([]);
  expect(heldUp({ code: 'running', waits_for })).toHaveLength(1);
});
