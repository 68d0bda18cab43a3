import { expect, it } from 'vitest';
import { endedForSilence, neverConnected } from './neverConnected';

it('a run that ended for a site without a sign of life may have waited for one that was never connected', () => {
  expect(endedForSilence({ code: 'too_few_sites_left_at_start' })).toBe(true);
  expect(endedForSilence({ code: 'stopped_for_silent_site' })).toBe(true);
  expect(endedForSilence({ code: 'attempts_used_up' })).toBe(false);
  expect(endedForSilence(null)).toBe(false);
  const ghost = { code: 'ended_run_never', site: 'ghost' };
  expect(neverConnected([{ code: 'stopped', site: 'osaka' }, ghost])).toBe(ghost);
  expect(neverConnected([{ code: 'ended_run' }])).toBeUndefined();
});
