import { expect, it } from 'vitest';
import { runToName } from './runToName';

it('an event names its run where there are several and its sentence does not', () => {
  const runs = new Map([['1', 'dimat'], ['2', 'regmean, seed 2']]); // prettier-ignore
  const event = (run_id: string | null, code: string, arm: string) => ({ run_id, code, params: { arm } });
  expect(runToName({ run_id: '1', code: 'site_trained', params: { site: 'Plant 3' } }, runs)).toBe('dimat');
  expect(runToName(event('1', 'round_finished', 'dimat'), runs)).toBe('dimat');
  expect(runToName(event('1', 'run_paused', 'dimat'), runs)).toBe(undefined);
  expect(runToName(event('2', 'run_paused', 'regmean'), runs)).toBe('regmean, seed 2');
  expect(runToName(event(null, 'amendment_in_force_arm', 'dimat'), runs)).toBe(undefined);
  expect(runToName(event('1', 'site_trained', 'dimat'), new Map())).toBe(undefined);
});
