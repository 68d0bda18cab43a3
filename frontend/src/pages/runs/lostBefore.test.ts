import { expect, it } from 'vitest';
import { lostBefore } from './lostBefore';

const lost = { code: 'lease_over', params: { seconds: 40 }, text: '' };

it('why the attempt before was lost is past once the next one is at work', () => {
  const step = { attempt: 2, reason: lost };
  expect(lostBefore({ ...step, state: 'running' })).toEqual({ attempt: 1, cause: 'lease_over' });
  expect(lostBefore({ ...step, state: 'completed' })).toEqual({ attempt: 1, cause: 'lease_over' });
  expect(lostBefore({ ...step, state: 'ready' })).toBeNull();
  expect(lostBefore({ ...step, state: 'failed' })).toBeNull();
  expect(lostBefore({ ...step, state: 'running', reason: null })).toBeNull();
});
